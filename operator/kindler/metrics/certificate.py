"""A self-signed certificate for the name by which the API server calls us. Its key never leaves this process's memory.

 0 h    created and published; used at once if there is no earlier certificate
24 h    the next certificate is created and published in addition to it
36 h    the next certificate is used: every reader of the published certificates has had 12 hours to read it
48 h    the first certificate expires
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR: Final = 3600.0
LIFETIME: Final = 48 * HOUR
RENEW_AFTER: Final = 24 * HOUR  # after this time the next certificate is published
PUBLISH_BEFORE_USE: Final = 12 * HOUR  # a certificate is published this many seconds before it is used
CLOCK_SKEW: Final = HOUR  # a certificate is valid from this many seconds before its creation, because clocks differ
# The certificates of at most this many pods stay published, because a Deployment of crashing pods would fill the
# ConfigMap.
MAX_PODS: Final = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM. `made`, `ends`: creation and expiry in epoch seconds."""

    certificate: str
    key: str
    made: float
    ends: float


@dataclass(frozen=True, slots=True)
class Rotation:
    """The pair in use, and the pair that will follow it."""

    current: Pair
    upcoming: Pair | None = None

    @property
    def published(self) -> str:
        """All certificates that the API server should trust now: PEM."""
        return self.current.certificate + (self.upcoming.certificate if self.upcoming else "")


def next_rotation(rotation: Rotation | None, names: tuple[str, ...], now: float) -> Rotation:
    """The rotation at `now`: the same value as `rotation` if nothing has to change.

    If a pair's creation time is in the future (the clock was set back), the pair is created again.
    """
    if rotation is None or now >= rotation.current.ends or now < rotation.current.made - CLOCK_SKEW:
        return Rotation(make(names, now))
    if rotation.upcoming is not None and now < rotation.upcoming.made - CLOCK_SKEW:
        return next_rotation(Rotation(rotation.current), names, now)
    if rotation.upcoming is not None:
        return Rotation(rotation.upcoming) if now >= rotation.upcoming.made + PUBLISH_BEFORE_USE else rotation
    return Rotation(rotation.current, make(names, now)) if now >= rotation.current.made + RENEW_AFTER else rotation


def make(names: tuple[str, ...], now: float) -> Pair:
    """A new key, and a self-signed certificate for these DNS names."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name can have at most 64 characters. No client reads it if there are DNS names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now_utc = datetime.fromtimestamp(now, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now_utc - timedelta(seconds=CLOCK_SKEW))
        .not_valid_after(now_utc + timedelta(seconds=LIFETIME))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Pair(certificate.public_bytes(Encoding.PEM).decode(), private_key, now, now + LIFETIME)


def publication(data: Mapping[str, str], pod: str, published: str, now: float) -> dict[str, str | None]:
    """The changes of the ConfigMap's data: our own entry, and None for each stale entry of another pod, to remove it.

    An entry is stale if none of its certificates is valid, or if MAX_PODS entries of other pods expire later.
    """
    others = sorted((name for name in data if name != pod), key=lambda name: _ends(data[name]), reverse=True)
    changes: dict[str, str | None] = {
        name: None for position, name in enumerate(others) if position >= MAX_PODS or _ends(data[name]) <= now
    }
    return changes if data.get(pod) == published else changes | {pod: published}


def _ends(text: str) -> float:
    """When the last of the certificates expires, in epoch seconds. Minus infinity if there is no certificate."""
    try:
        return max(
            (
                certificate.not_valid_after_utc.timestamp()
                for certificate in x509.load_pem_x509_certificates(text.encode())
            ),
            default=-math.inf,
        )
    except ValueError:
        return -math.inf
