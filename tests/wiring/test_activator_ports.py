"""The peer port and its authentication, the admin port, and how the process drains and ends."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kindler.activator import process
from kindler.api import names
from kindler.api.stats import Stats
from kindler.runtime.tokens import FRESH_SECONDS
from tests.apiserver.faults import Request, matching
from tests.wiring.activator_rig import Rig, free_port
from tests.wiring.activator_rig import rig as make

ISSUER = "https://kubernetes.default.svc.cluster.local"
CONTROLLER = "system:serviceaccount:kindler-system:kindler-controller"


class Issuer:
    """Signs tokens as the API server does."""

    def __init__(self) -> None:
        self.keys = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048) for kid in ("one", "two")}

    def published(self, *kids: str) -> bytes:
        keys = [
            jwt.algorithms.RSAAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
            | {"kid": kid, "alg": "RS256", "use": "sig"}
            for kid in kids
        ]
        return json.dumps({"keys": keys}).encode()

    def token(
        self,
        kid: str = "one",
        key: Any = None,
        algorithm: str = "RS256",
        header: dict[str, str] | None = None,
        **changes: Any,
    ) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": [names.PEER_AUDIENCE],
            "sub": CONTROLLER,
            "iat": now,
            "nbf": now,
            "exp": now + 600,
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.keys[kid] if key is None else key, algorithm, {"kid": kid} | (header or {}))


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    yield Issuer()


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> AsyncIterator[Rig]:
    async with make(tmp_path, monkeypatch) as made:
        issue(made, issuer)
        yield made


def issue(rig: Rig, issuer: Issuer) -> None:
    """Makes the API server publish the keys of this issuer."""
    rig.server.raw["/.well-known/openid-configuration"] = json.dumps({"issuer": ISSUER, "jwks_uri": "ignored"}).encode()
    rig.server.raw["/openid/v1/jwks"] = issuer.published("one")


async def status_of(rig: Rig, token: str | None) -> int:
    return (await rig.peer("/stats", {"Authorization": f"Bearer {token}"} if token is not None else None)).status


async def until_readyz(rig: Rig, status: int) -> None:
    while (await rig.admin("/readyz")).status != status:  # noqa: ASYNC110 - polled as the kubelet does
        await asyncio.sleep(0.02)


async def read_until(stream: asyncio.StreamReader, words: str) -> list[dict[str, Any]]:
    """Log lines up to the one that contains `words`."""
    lines: list[dict[str, Any]] = []
    while not lines or words not in lines[-1].get("message", ""):
        lines.append(json.loads(await stream.readline()))
    return lines


def confused(public_key: bytes) -> str:
    """A token whose HMAC secret is the public key. A verifier that believes the token's `alg` would accept it."""
    claims = {
        "iss": ISSUER,
        "aud": names.PEER_AUDIENCE,
        "sub": CONTROLLER,
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
    }
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT", "kid": "one"}, claims)
    ]
    signature = hmac.digest(public_key, b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def test_stats_contain_the_requests_per_revision_and_pool(rig: Rig, issuer: Issuer) -> None:
    rig.serving(demand=1, limit=3)
    endpoint = rig.endpoint("unrouted")
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable() and rig.throttler("unrouted"))
    rig.gate.clear()
    request = rig.begin()
    await rig.until(lambda: rig.throttler().in_flight)
    rig.pools(rig.server.store.get(rig.server.store.kind("endpoints", names.GROUP), "default", "iris"), "new")
    rig.route(revision="new", limit=3)
    await rig.until(lambda: rig.throttler().stats(True).older)
    answer = await rig.peer("/stats", {"Authorization": f"Bearer {issuer.token()}"})
    stats = Stats.from_json(json.loads(answer.body))

    assert stats.boot
    assert set(stats.endpoints) == {"default/iris"}, f"{endpoint['metadata']['name']} has no route: it serves nothing"
    iris = stats.endpoints["default/iris"]
    assert (iris.owner, iris.revision, iris.in_flight, iris.held, iris.warm, iris.demand, iris.older) == (
        True,
        "new",
        1,
        0,
        0,
        1,
        {"abc": 1},
    )
    rig.gate.set()
    await request


async def test_stats_with_provisioned_true_contain_only_endpoints_with_a_warm_pool(rig: Rig, issuer: Issuer) -> None:
    """The metrics process reads these statistics once a second: the capacity and the totals of each warm pool."""
    rig.serving(demand=1, limit=3)
    rig.serving("rose", warm=2, limit=5, per_pod=2)
    await rig.until(
        lambda: (
            rig.throttler()
            and rig.throttler().pools.any_usable()
            and rig.throttler("rose")
            and len(rig.throttler("rose").pools.placement.warm) == 2
        )
    )

    async def read(query: str) -> Stats:
        bearer = {"Authorization": f"Bearer {issuer.token(sub='system:serviceaccount:kindler-system:kindler-metrics')}"}
        return Stats.from_json(json.loads((await rig.peer(f"/stats{query}", bearer)).body))

    before = await read("?provisioned=true")
    for _ in range(3):
        await rig.invoke("rose")
    rig.gate.clear()
    request = rig.begin("rose")
    await rig.until(lambda: rig.throttler("rose").in_flight == 1)
    after = await read("?provisioned=true")
    rig.gate.set()
    await request

    assert set(before.endpoints) == set(after.endpoints) == {"default/rose"}
    assert (
        set((await read("")).endpoints)
        == set((await read("?provisioned=false")).endpoints)
        == {"default/iris", "default/rose"}
    )
    rose, totals, earlier = (
        after.endpoints["default/rose"],
        after.endpoints["default/rose"].totals,
        before.endpoints["default/rose"].totals,
    )
    assert totals is not None
    assert earlier is not None
    assert (rose.allocated, totals.provisioned, totals.spillover, totals.invocations, totals.answered) == (
        4,
        4,
        0,
        4,
        3,
    )
    assert totals.load_seconds > totals.model_seconds > 0, "running requests already count as load"
    assert (earlier.load_seconds, earlier.invocations) == (0, 0)


async def test_only_valid_tokens_of_our_own_processes_are_accepted(rig: Rig, issuer: Issuer) -> None:
    now = int(time.time())
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = (
        issuer.keys["one"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    good = issuer.token()
    rows: dict[str, tuple[str | None, int]] = {
        "the controller": (good, 200),
        "another activator": (issuer.token(sub="system:serviceaccount:kindler-system:kindler-activator"), 200),
        "the metrics process": (issuer.token(sub="system:serviceaccount:kindler-system:kindler-metrics"), 200),
        "several audiences": (issuer.token(aud=["x", names.PEER_AUDIENCE]), 200),
        "no token": (None, 401),
        "an empty one": ("", 401),
        "no token at all": ("abc", 401),
        "three parts of nothing": ("a.b.c", 401),
        "somebody else": (issuer.token(sub="system:serviceaccount:default:default"), 403),
        "the same name elsewhere": (issuer.token(sub="system:serviceaccount:default:kindler-controller"), 403),
        "another audience": (issuer.token(aud=["https://kubernetes.default.svc"]), 401),
        "no audience": (issuer.token(aud=None), 401),
        "another issuer": (issuer.token(iss="https://elsewhere"), 401),
        "expired": (issuer.token(iat=now - 900, nbf=now - 900, exp=now - 60), 401),
        "never expires": (issuer.token(exp=None), 401),
        "not yet": (issuer.token(nbf=now + 600), 401),
        "nobody": (issuer.token(sub=None), 401),
        "signed by a stranger": (issuer.token(key=stranger), 401),
        "a key that the cluster does not have": (issuer.token("two"), 401),
        "another algorithm": (issuer.token(algorithm="RS512"), 401),
        "the public key as a secret": (confused(public), 401),
        "signed with nothing": (jwt.encode({"sub": CONTROLLER, "exp": now + 60}, None, "none", {"kid": "one"}), 401),
        "a changed body": (f"{good.split('.')[0]}.{issuer.token(sub='x').split('.')[1]}.{good.split('.')[2]}", 401),
        "no signature": (good.rsplit(".", 1)[0] + ".", 401),
    }
    statuses = {name: await status_of(rig, token) for name, (token, _) in rows.items()}

    assert statuses == {name: expected for name, (_, expected) in rows.items()}


async def test_a_new_key_is_fetched_once_and_a_flood_of_unknown_ones_does_not_reach_the_api_server(
    rig: Rig, issuer: Issuer
) -> None:
    def fetches() -> int:
        return len([r for r in rig.server.log if r.path == "/openid/v1/jwks"])

    assert await status_of(rig, issuer.token()) == 200
    assert await status_of(rig, issuer.token()) == 200
    assert fetches() == 1
    rig.server.raw["/openid/v1/jwks"] = issuer.published("one", "two")
    assert await status_of(rig, issuer.token("two")) == 200
    assert fetches() == 2
    for number in range(50):
        assert await status_of(rig, issuer.token(header={"kid": str(number)})) == 401
    assert fetches() <= 4


async def test_known_keys_are_accepted_without_the_api_server_and_unknown_ones_give_503(
    rig: Rig, issuer: Issuer
) -> None:
    rig.server.faults.fail(503, lambda request: request.path == "/openid/v1/jwks")
    assert await status_of(rig, issuer.token()) == 503
    assert await status_of(rig, issuer.token()) == 200
    await rig.server.down()
    assert await status_of(rig, issuer.token()) == 200
    await rig.server.up()


async def test_old_keys_are_renewed_in_the_background(rig: Rig, issuer: Issuer) -> None:
    def fetch(request: Request) -> bool:
        return request.path == "/openid/v1/jwks"

    tokens = rig.activator.tokens
    assert await status_of(rig, issuer.token()) == 200
    tokens._read -= FRESH_SECONDS + 1
    held = rig.server.faults.hold(fetch, times=10**6)
    assert [await status_of(rig, issuer.token()) for _ in range(3)] == [200] * 3
    await held.arrived.wait()
    assert held.met == 1, "one renewal at a time"
    rig.server.raw["/openid/v1/jwks"] = issuer.published("two")
    held.end()
    await rig.until(lambda: tokens._refreshing is None)
    assert (await status_of(rig, issuer.token()), await status_of(rig, issuer.token("two"))) == (401, 200)


async def exchange(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    return answer


async def test_a_malformed_token_is_rejected_without_a_traceback(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    answer = await exchange(
        rig.activator.ports.peer, b"GET /stats HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xe9.\xe9.\xe9\r\n\r\n"
    )

    assert b" 401 " in answer
    assert [record for record in caplog.records if record.exc_info] == []


async def test_health_readiness_and_metrics(rig: Rig) -> None:
    rig.serving(demand=1, limit=1)
    assert (await rig.admin("/readyz")).status == 200
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable())
    rig.gate.clear()
    running = rig.begin(body="four")
    await rig.until(lambda: rig.throttler().in_flight == 1)
    assert (await rig.invoke()).status == 429
    labels = 'namespace="default",endpoint="iris",variant="AllTraffic"'
    busy = (await rig.admin("/metrics")).body.splitlines()
    assert f"kindler_concurrent_executions{{{labels}}} 1" in busy
    assert f"kindler_throttled_total{{{labels}}} 1" in busy
    assert f'kindler_pool_pods{{{labels},pool="demand",state="usable"}} 1' in busy
    rig.gate.set()
    await running
    await rig.until(lambda: rig.throttler().in_flight == 0)
    idle = (await rig.admin("/metrics")).body.splitlines()

    assert f'kindler_invocations_total{{{labels},outcome="ok"}} 1' in idle
    assert f'kindler_invocations_total{{{labels},outcome="throttled"}} 1' in idle
    assert f'kindler_processed_bytes_total{{{labels},direction="in"}} 4' in idle
    for family in ("invocation", "model_latency", "overhead"):
        assert f'kindler_{family}_seconds_bucket{{{labels},le="+Inf"}} 1' in idle
        assert f"kindler_{family}_seconds_count{{{labels}}} 1" in idle
    families = [line.split()[2] for line in idle if line.startswith("# TYPE")]
    assert len(families) == len(set(families)), "each family appears once, all its samples together"
    health = json.loads((await rig.admin("/healthz")).body)
    assert (health["status"], health["unwritten"], health["trouble"]) == ("ok", 0, None)


async def test_before_all_is_listed_it_is_alive_but_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    async with make(
        tmp_path, monkeypatch, before=lambda server: server.faults.fail(503, matching("list", "pods"), times=10**6)
    ) as rig:
        issue(rig, issuer)
        assert (await rig.admin("/healthz")).status == 200
        assert (await rig.admin("/readyz")).status == 503
        assert await status_of(rig, issuer.token()) == 503, (
            "it must not report objects as missing that it has not listed yet"
        )
        rig.server.faults.clear()
        await rig.until(lambda: rig.activator.health().synced)
        assert (await rig.admin("/readyz")).status == 200
        assert await status_of(rig, issuer.token()) == 200


async def test_sigterm_lets_requests_finish_and_ends_with_status_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that runs before SIGTERM and one that comes after it get a response. Then the real process exits."""
    async with make(tmp_path, monkeypatch) as rig:
        rig.serving(demand=1, limit=3)
        ports = {name: free_port() for name in ("PUBLIC", "PEER", "ADMIN")}
        environment = os.environ | {f"KINDLER_{name}_PORT": str(port) for name, port in ports.items()}
        environment |= {"KINDLER_SHUTDOWN_GRACE_SECONDS": "8", "KINDLER_ACCESS_LOG": "true"}
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kindler", "activator", env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        rig.activator.ports = rig.activator.ports._replace(public=ports["PUBLIC"], admin=ports["ADMIN"])
        try:
            lines = await read_until(child.stdout, "listens")
            await until_readyz(rig, 200)
            rig.gate.clear()
            running = rig.begin(body="running")
            await rig.until(lambda: any(model.now for model in rig.models.values()))
            child.send_signal(signal.SIGTERM)
            lines += await read_until(child.stdout, "draining")
            await until_readyz(rig, 200)
            late = rig.begin(body="late")
            await rig.until(lambda: sum(model.now for model in rig.models.values()) == 2)
            rig.gate.set()
            answers = [await running, await late]
            assert [answer.status for answer in answers] == [200, 200]
            assert answers[1].headers["connection"].lower() == "close"
            lines += [json.loads(line) for line in (await child.stdout.read()).splitlines()]
            assert await child.wait() == 0
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        access = [line for line in lines if "outcome" in line]
        assert {(line["endpoint"], line["outcome"], line["status"], line["received"]) for line in access} == {
            ("iris", "answered", 200, 7),
            ("iris", "answered", 200, 4),
        }
        (cold,) = [line for line in lines if line.get("event") == "coldStart"]
        assert "request 0 ms · pod created" in cold["message"]
        with pytest.raises(aiohttp.ClientConnectionError):
            await rig.invoke()


async def test_a_background_task_that_fails_is_restarted_and_no_client_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with make(tmp_path, monkeypatch) as rig:
        monkeypatch.setattr(process, "FIRST_PAUSE", 0.01)
        pods = rig.activator.informers[2]
        await rig.until(lambda: rig.server.watches.of("pods"))
        with monkeypatch.context() as patch:
            patch.setattr(pods, "_put", lambda value: value["no such thing"])
            rig.serving(demand=1)
            await rig.until(lambda: "starts again" in caplog.text)
        assert (await rig.invoke()).status == 200


def test_the_soft_limit_of_open_files_is_raised_to_the_hard_limit(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        process.raise_file_limit(hard // 2)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        assert caplog.text == ""
        process.raise_file_limit(hard)
        assert "too few" in caplog.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("name", "value"), [("KINDLER_PUBLIC_PORT", "many"), ("KINDLER_ACCESS_LOG", "maybe")])
async def test_an_invalid_setting_ends_the_process_with_an_error_message(name: str, value: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kindler",
        "activator",
        env=os.environ | {name: value},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, errors = await child.communicate()

    assert child.returncode == 2
    assert f"{name}={value!r}" in errors.decode()
