"""The connection to the API server: its configuration, its errors, and its limit, which does not hold for watches."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubernetes.aio.config import incluster_config

from kindler.clients import connection
from kindler.clients.cluster import (
    ENDPOINTS,
    LEASES,
    MODELS,
    PODS,
    ApiError,
    Cluster,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Resource,
    Unavailable,
)
from tests.apiserver import ApiServer, matching


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster()
    await cluster.connect(server.kubeconfig(tmp_path))
    yield cluster
    await cluster.close()


# Configuration


async def test_kubeconfig_comes_from_the_environment(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", server.kubeconfig(tmp_path))
    cluster = Cluster()
    await cluster.connect()
    await cluster.list(MODELS, None)
    await cluster.close()
    assert (server.log[-1].token, server.log[-1].user_agent) == ("Bearer test", "kindler-client")


async def test_a_pod_uses_its_service_account_and_reads_the_token_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = self_signed(tmp_path)
    token = tmp_path / "token"
    token.write_text("first")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificate))
    async with ApiServer(tls=context) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        cluster = Cluster()
        await cluster.connect()
        await cluster.list(MODELS, None)
        token.write_text("second")
        await cluster.list(MODELS, None)
        later = SimpleNamespace(now=lambda: datetime.datetime.now() + datetime.timedelta(minutes=2))  # noqa: DTZ005
        monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=later, timedelta=datetime.timedelta))
        await cluster.list(MODELS, None)
        token.unlink()
        in_five_minutes = datetime.timedelta(minutes=5)
        monkeypatch.setattr(later, "now", lambda: datetime.datetime.now() + in_five_minutes)  # noqa: DTZ005
        with pytest.raises(Unavailable, match="token"):
            await cluster.list(MODELS, None)
        await cluster.close()
        assert [r.token.lower() for r in server.log] == ["bearer first", "bearer first", "bearer second"]


@pytest.mark.parametrize("content", [None, "", "}", '{"current-context": "a", "contexts": [], "clusters": []}'])
async def test_an_unusable_configuration_is_an_api_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ApiError, match="no usable cluster configuration"):
        await Cluster().connect(str(file))


async def test_a_closed_or_never_opened_connection_is_reported(cluster: Cluster) -> None:
    await cluster.close()
    await cluster.close()
    for closed in (cluster, Cluster()):
        with pytest.raises(Unavailable, match="not connected"):
            await closed.get(MODELS, "default", "m")


# Errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiError),
        (401, ApiError),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (422, Invalid),
        (429, Unavailable),
        (500, Unavailable),
        (504, Unavailable),
    ],
)
async def test_each_status_becomes_its_kind_of_error(
    server: ApiServer, cluster: Cluster, status: int, kind: type[ApiError]
) -> None:
    server.faults.fail(status, message="because", retry_after=7 if status == 429 else None)
    with pytest.raises(ApiError) as caught:
        await cluster.list(MODELS, None)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.message, caught.value.retry_after) == (
        status,
        "because",
        7 if status == 429 else None,
    )


async def test_an_incomplete_response_is_unavailable(
    server: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches = matching("patch")
    for fault in (server.faults.drop(patches), server.faults.lose(patches), server.faults.truncate(patches)):
        server.store.create(
            server.store.kind("models"),
            "default",
            {"metadata": {"name": "m"}, "spec": {"primaryContainer": {"image": "a"}}},
        )
        with pytest.raises(Unavailable) as caught:
            await cluster.merge_patch(MODELS, "default", "m", {"metadata": {"labels": {"a": "b"}}})
        assert caught.value.status == 0 and fault.met == 1
        server.store.delete(server.store.kind("models"), "default", "m")
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.1)
    held = server.faults.hold()
    with pytest.raises(Unavailable):
        await cluster.list(MODELS, None)
    held.end()
    await server.down()
    with pytest.raises(Unavailable):
        await cluster.list(MODELS, None)


async def test_a_response_that_is_no_object_is_unavailable(server: ApiServer, cluster: Cluster) -> None:
    server.raw["/api/v1/nodes"] = b"<html>"
    nodes = Resource("", "v1", "nodes", "Node", namespaced=False)
    with pytest.raises(Unavailable, match="not a JSON object"):
        await cluster.list(nodes, None)


async def test_a_status_write_needs_a_resource_version(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="resourceVersion"):
        await cluster.update_status(ENDPOINTS, "default", "e", {"metadata": {"name": "e"}, "status": {}})


async def test_a_delete_repeated_after_its_response_was_lost_is_no_error(server: ApiServer, cluster: Cluster) -> None:
    server.store.create(server.store.kind("configmaps"), "default", {"metadata": {"name": "c"}})
    server.faults.lose(matching("delete"))
    with contextlib.suppress(Unavailable):
        await cluster.delete(Resource("", "v1", "configmaps", "ConfigMap"), "default", "c")
    assert server.store.find(server.store.kind("configmaps"), "default", "c") is None


# Requests and watches


async def test_watches_never_delay_requests(server: ApiServer, tmp_path: Path) -> None:
    cluster = Cluster(max_connections=1)
    await cluster.connect(server.kubeconfig(tmp_path))
    streams = [
        cluster.watch(resource, None, "", str(server.store.version)) for resource in (MODELS, ENDPOINTS, PODS, LEASES)
    ]
    readers = [asyncio.create_task(anext(stream)) for stream in streams]
    await server.until(lambda: len(server.watches.open) == 4)
    async with asyncio.timeout(10):
        await cluster.list(MODELS, None)
    assert len(server.watches.open) == 4, "the request took no connection from a watch"
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    await cluster.close()


async def test_requests_share_a_bounded_number_of_connections(server: ApiServer, tmp_path: Path) -> None:
    cluster = Cluster(max_connections=3)
    await cluster.connect(server.kubeconfig(tmp_path))
    held = server.faults.hold(times=float("inf"))
    asked = [asyncio.create_task(cluster.list(MODELS, None)) for _ in range(10)]
    await server.until(lambda: held.met == 3)
    await asyncio.sleep(0)
    assert len(server.log) == 3
    held.end()
    await asyncio.gather(*asked)
    await cluster.close()
    assert len(server.log) == 10


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
    )
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    certificate, private = folder / "ca.crt", folder / "tls.key"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return certificate, context
