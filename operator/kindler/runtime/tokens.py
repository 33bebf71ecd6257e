"""Checks the ServiceAccount tokens of callers on the peer port.

This process verifies a token itself, with the public keys of the cluster. So callers are accepted even while the API
server is not available.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any, Final

import jwt

from kindler.clients.cluster import ApiError, Cluster
from kindler.core.common.ratelimit import TokenBucket

log = logging.getLogger(__name__)

# Symmetric algorithms and "none" are not accepted, because the keys are public: anybody could sign a token.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
LEEWAY_SECONDS: Final = 10
FRESH_SECONDS: Final = 600.0  # keys older than this are read again in the background
REFRESHES_PER_SECOND, REFRESH_BURST = 0.1, 3


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a caller is rejected.

    `status`: 401 (no valid token), 403 (another ServiceAccount), 503 (the keys are not known yet).
    """

    status: int
    reason: str


class Tokens:
    """Verifies tokens. `subjects`: the ServiceAccounts that may call, as `system:serviceaccount:NAMESPACE:NAME`."""

    def __init__(self, cluster: Cluster, audience: str, subjects: frozenset[str]) -> None:
        self._cluster = cluster
        self._audience = audience
        self._subjects = subjects
        self._issuer = ""
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read = -FRESH_SECONDS
        self._refresh_limit = TokenBucket(REFRESHES_PER_SECOND, REFRESH_BURST)
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def check(self, authorization: str) -> Denied | None:
        """None if the `Authorization` header contains a valid token, else why the caller is rejected."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.isascii() or not token:
            return Denied(401, f"show a ServiceAccount token for the audience {self._audience!r}")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            return Denied(401, f"no token: {error}")
        key = await self._key(str(header.get("kid", "")))
        if key is None:
            if not self._keys:
                return Denied(503, "the cluster's keys are not known yet")
            return Denied(401, "the token is signed with a key that the cluster does not have")
        return self._verify(token, header, key)

    def _verify(self, token: str, header: dict[str, Any], key: jwt.PyJWK) -> Denied | None:
        if header.get("alg") not in ALGORITHMS or header["alg"] != key.algorithm_name:
            return Denied(401, "the token is signed with another algorithm than its key is for")
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[header["alg"]],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            return Denied(401, f"the token is not good: {error}")
        if claims["sub"] not in self._subjects:
            return Denied(403, f"{claims['sub']} may not call here")
        return None

    async def _key(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id.

        If the id is unknown, the keys are read again, at a limited rate, and the caller waits for them. Old keys are
        renewed in the background.
        """
        key, now = self._keys.get(kid), time.monotonic()
        if key is None:
            async with self._lock:
                if kid not in self._keys and self._refresh_limit.take(time.monotonic()):
                    await self._refresh()
            return self._keys.get(kid)
        if now - self._read > FRESH_SECONDS and self._refreshing is None and self._refresh_limit.take(now):
            self._refreshing = asyncio.get_running_loop().create_task(self._renew(), name="renewal of token keys")
        return key

    async def _renew(self) -> None:
        try:
            async with self._lock:
                await self._refresh()
        finally:
            self._refreshing = None

    async def close(self) -> None:
        """Cancels a renewal in progress."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _refresh(self) -> None:
        try:
            configuration = json.loads(await self._cluster.raw_get("/.well-known/openid-configuration"))
            found = json.loads(await self._cluster.raw_get("/openid/v1/jwks"))
            keys = {str(k["kid"]): jwt.PyJWK.from_dict(k) for k in found["keys"] if k.get("kty") in ("RSA", "EC")}
            self._issuer, self._keys, self._read = str(configuration["issuer"]), keys, time.monotonic()
        except (ApiError, jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
            log.warning("the cluster's token keys cannot be read (%s): Kindler uses the last known keys", error)
