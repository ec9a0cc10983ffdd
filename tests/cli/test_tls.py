"""TLS of a real gateway process over HTTP and gRPC: who may connect, what is renewed, and files that cannot be used."""

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from reward_gateway.cli.gateway_checks import find_gateway_faults
from reward_gateway.cli.serve import find_lacking
from reward_gateway.client import AsyncRewardClient, RewardClient, Untrusted
from reward_gateway.errors import GatewayError, PermissionDenied, Unavailable
from reward_gateway.local.probes import http_ok
from reward_gateway.settings import Settings
from reward_gateway.traffic.tls import describe_readable_key

from tests.conftest import ROOT
from tests.http.listening import handshake, open_websocket
from tests.ports import free_port

pytestmark = pytest.mark.anyio

RECIPES = "rewards: {short: {components: {a: {score: length_penalty, params: {free_words: 1, per_word: 1}}}}}"


@dataclass(frozen=True)
class Files:
    """A server's files, and those of its clients."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            f"REWARD_GATEWAY_{name}": str(self.folder / f"{file}.pem")
            for name, file in (("TLS_CERTIFICATE", "certificate"), ("TLS_KEY", "key"))
        }

    def issue(self, authority: trustme.CA, name: str = "127.0.0.1") -> str:
        """Replace the server's certificate and key; its serial number."""
        issued = authority.issue_cert(name)
        write(self.folder / "certificate.pem", b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        write(self.folder / "key.pem", issued.private_key_pem.bytes())
        return serial_of(issued.cert_chain_pems[0].bytes().decode())


def serial_of(certificate: str) -> str:
    from cryptography.x509 import load_pem_x509_certificate

    return str(load_pem_x509_certificate(certificate.encode()).serial_number)


def write(path: Path, content: bytes) -> None:
    """Replace a file as those who renew certificates do: at once."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


@dataclass(frozen=True)
class Running:
    """A gateway process."""

    http_port: int
    grpc_port: int
    files: Files
    authority: trustme.CA
    ca: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        return f"grpcs://127.0.0.1:{self.grpc_port}"

    def serial(self, port: int) -> str:
        """The serial number of the certificate that a new connection is shown."""
        shown = ssl.get_server_certificate(("127.0.0.1", port))
        return serial_of(shown)


@contextlib.contextmanager
def running(folder: Path, **more: str) -> Iterator[Running]:
    """A worker whose recipe is a rule: it needs no model server and no store."""
    authority, files = trustme.CA(), Files(folder)
    files.issue(authority)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "rewards.yaml").write_text(RECIPES)
    http_port, grpc_port = free_port(), free_port()
    settings = {
        "REWARD_GATEWAY_HTTP_PORT": str(http_port),
        "REWARD_GATEWAY_GRPC_PORT": str(grpc_port),
        "REWARD_GATEWAY_TRITON_URL": f"127.0.0.1:{free_port()}",
        "REWARD_GATEWAY_REWARDS_FILE": str(folder / "rewards.yaml"),
        "REWARD_GATEWAY_STATE_DIR": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "reward_gateway.cli.worker"],
            env=os.environ | files.environment | settings | more,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        gateway = Running(http_port, grpc_port, files, authority, folder / "ca.pem")
        end = time.monotonic() + 240
        while find_lacking(gateway.url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield gateway
    finally:
        process.terminate()
        assert process.wait(120) == 0, (folder / "log").read_text()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for the time limit."""
    for module in ("sync", "aio"):
        monkeypatch.setattr(f"reward_gateway.client.{module}.READY_S", 60.0)
    monkeypatch.setattr("reward_gateway.client.tls.REFUSAL_S", 60.0)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Any client may connect."""
    with running(tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path, trustme.CA]]:
    """Only clients of one authority may connect; beside it, the file with that authority and the authority."""
    folder, clients = tmp_path_factory.mktemp("mutual"), trustme.CA()
    clients.cert_pem.write_to_path(folder / "clients.pem")
    with running(folder, REWARD_GATEWAY_TLS_CLIENT_CA=str(folder / "clients.pem")) as found:
        yield found, folder / "clients.pem", clients


def client_files(folder: Path, authority: trustme.CA) -> tuple[Path, Path]:
    """A client's certificate and key."""
    issued = authority.issue_cert("trainer.example.org")
    issued.cert_chain_pems[0].write_to_path(folder / "client.pem")
    issued.private_key_pem.write_to_path(folder / "client-key.pem")
    return folder / "client.pem", folder / "client-key.pem"


async def test_a_client_that_trusts_the_authority_is_answered_over_both(gateway: Running) -> None:
    for url in (gateway.url, gateway.grpc_url):
        with RewardClient(url, ca_file=gateway.ca) as client:
            assert client.ready()
            assert client.score("p", ["a b c"]).rewards.tolist() == [-2.0]
        async with AsyncRewardClient(url, ca_file=gateway.ca) as concurrent:
            assert (await concurrent.score("p", ["a b c"])).rewards.tolist() == [-2.0]


async def test_the_authority_may_come_from_the_environment(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_CA_FILE", str(gateway.ca))
    for url in (gateway.url, gateway.grpc_url):
        with RewardClient(url) as client:
            assert client.score("p", ["a"]).rewards.tolist() == [0.0]
    listed = subprocess.run(
        [sys.executable, "-m", "reward_gateway.cli.main", "rewards", "list", "--url", gateway.url],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert "short" in listed.stdout, listed.stderr


@pytest.mark.parametrize("over", ["url", "grpc_url"])
def test_what_the_system_trusts_is_trusted_over_both(
    gateway: Running, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(gateway.ca))
    with RewardClient(f"{getattr(gateway, over)}/run/named") as client:
        assert client.score("p", ["a"]).rewards.tolist() == [0.0]


@pytest.mark.parametrize("over", ["url", "grpc_url"])
def test_a_client_that_does_not_trust_it_says_so_at_once(gateway: Running, over: str, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with (
        RewardClient(getattr(gateway, over), ca_file=tmp_path / "other.pem", timeout_s=3600) as client,
        pytest.raises(Untrusted, match="REWARD_GATEWAY_CA_FILE"),
    ):
        client.score("p", ["a"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("port", ["http_port", "grpc_port"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_and_plain_text_are_refused(gateway: Running, version: ssl.TLSVersion, port: str) -> None:
    address = ("127.0.0.1", getattr(gateway, port))
    context = ssl.create_default_context(cafile=gateway.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(address) as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock, server_hostname="127.0.0.1")
    with socket.create_connection(address, timeout=60) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"200" not in sock.recv(1000)


async def test_the_probes_of_the_stack_ask_over_tls(gateway: Running) -> None:
    assert await http_ok("127.0.0.1", gateway.http_port, "/livez", tls=True)()
    assert find_lacking(gateway.url) == []


def test_new_connections_get_the_new_certificate_and_faulty_files_change_nothing(gateway: Running) -> None:
    ports = (gateway.http_port, gateway.grpc_port)
    with httpx.Client(base_url=gateway.url, verify=ssl.create_default_context(cafile=gateway.ca), timeout=60) as kept:
        assert kept.get("/livez").status_code == 200
        renewed = gateway.files.issue(gateway.authority)
        assert [gateway.serial(port) for port in ports] == [renewed, renewed]
        assert kept.get("/livez").status_code == 200

        certificate = gateway.files.folder / "certificate.pem"
        good = certificate.read_bytes()
        for faulty in (b"", b"no certificate", b"".join(_chain(trustme.CA()))):  # the last does not fit the key
            write(certificate, faulty)
            assert [gateway.serial(port) for port in ports] == [renewed, renewed]
        certificate.unlink()
        assert [gateway.serial(port) for port in ports] == [renewed, renewed]
        write(certificate, good)
        again = gateway.files.issue(gateway.authority)
        assert [gateway.serial(port) for port in ports] == [again, again]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("over", ["http", "grpc"])
def test_a_session_of_the_certificate_before_is_resumed_over_http_alone(
    gateway: Running, over: str, version: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context(cafile=gateway.ca)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["http/1.1" if over == "http" else "h2"])

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        """A connection until it was answered; its session, and whether it was resumed."""
        port = gateway.http_port if over == "http" else gateway.grpc_port
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
        ):
            http = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
            secure.sendall(http if over == "http" else b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            assert secure.recv(1000)
            return secure.session, secure.session_reused

    session, _ = connect(None)
    assert connect(session)[1] is True
    gateway.files.issue(gateway.authority)
    assert connect(session)[1] is (over == "http"), "the page operate/security says for how long"


def _chain(authority: trustme.CA) -> list[bytes]:
    return [blob.bytes() for blob in authority.issue_cert("127.0.0.1").cert_chain_pems]


def test_mutual_tls_answers_its_clients_over_both(mutual: tuple[Running, Path, trustme.CA], tmp_path: Path) -> None:
    gateway, _, clients = mutual
    certificate, key = client_files(tmp_path, clients)
    for url in (gateway.url, gateway.grpc_url):
        with RewardClient(url, ca_file=gateway.ca, client_certificate=certificate, client_key=key) as client:
            assert client.ready()
            assert client.score("p", ["a b"]).rewards.tolist() == [-1.0]


def test_without_a_client_certificate_only_health_checks_and_metrics_are_answered(
    mutual: tuple[Running, Path, trustme.CA],
) -> None:
    gateway, _, _ = mutual
    with httpx.Client(base_url=gateway.url, verify=ssl.create_default_context(cafile=gateway.ca), timeout=60) as client:
        for path in ("/livez", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
        for path in ("/v1/rewards", "/docs", "/nowhere", "/livez/"):
            answer = client.get(path)
            assert answer.status_code == 403
            assert "certificate" in answer.json()["error"]["message"]
    with RewardClient(gateway.url, ca_file=gateway.ca) as client, pytest.raises(PermissionDenied, match="certificate"):
        client.score("p", ["a"])


async def test_a_websocket_is_held_to_mutual_tls(mutual: tuple[Running, Path, trustme.CA], tmp_path: Path) -> None:
    gateway, _, clients = mutual
    context = ssl.create_default_context(cafile=gateway.ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.http_port, ssl=context)
    writer.write(handshake("/ws"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    writer.close()
    context.load_cert_chain(*client_files(tmp_path, clients))
    ws = await open_websocket(gateway.http_port, "/ws", tls=context)
    await ws.ask({"type": "reset", "data": {"task": {"prompt": "p"}}})
    assert (await ws.ask({"type": "step", "data": {"answer": "a b" + " " * 100_000}}))["data"]["reward"] == -1.0
    assert await ws.ask({"type": "close"}) == 1000
    ws.close()


@pytest.mark.parametrize("given", ["a wrong one", "none"])
async def test_a_client_certificate_that_is_refused_is_named_at_once(
    mutual: tuple[Running, Path, trustme.CA], given: str, tmp_path: Path
) -> None:
    """Nothing is tried again: a call that did so would end as another error."""
    gateway, _, _ = mutual
    files: dict[str, Any] = {"ca_file": gateway.ca, "timeout_s": 120}
    if given == "a wrong one":
        files |= dict(zip(("client_certificate", "client_key"), client_files(tmp_path, trustme.CA()), strict=True))
    for url in (gateway.grpc_url, gateway.url) if given == "a wrong one" else (gateway.grpc_url,):
        with RewardClient(url, **files) as client:
            assert not client.ready()
            with pytest.raises(Untrusted, match="client_certificate, client_key"):
                client.score("p", ["a"])
        async with AsyncRewardClient(url, **files) as concurrent:
            with pytest.raises(Untrusted, match="client_certificate, client_key"):
                await concurrent.score("p", ["a"])


def test_a_service_that_is_away_refuses_no_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate, key = client_files(tmp_path, authority)
    for scheme in ("https", "grpcs"):
        url = f"{scheme}://127.0.0.1:{free_port()}"
        client = RewardClient(
            url, ca_file=tmp_path / "ca.pem", client_certificate=certificate, client_key=key, timeout_s=0.5
        )
        with client, pytest.raises(Unavailable):
            client.score("p", ["a"])


def test_the_authority_of_clients_is_renewed_too(mutual: tuple[Running, Path, trustme.CA], tmp_path: Path) -> None:
    gateway, clients_file, clients = mutual
    old, new = (tmp_path / name for name in ("old", "new"))
    old.mkdir()
    new.mkdir()
    authority = trustme.CA()
    before, after = client_files(old, clients), client_files(new, authority)

    def answered(url: str, files: tuple[Path, Path], timeout_s: float = 60.0) -> bool:
        client = RewardClient(
            url, ca_file=gateway.ca, client_certificate=files[0], client_key=files[1], timeout_s=timeout_s
        )
        with client, contextlib.suppress(GatewayError):
            return bool(client.score("p", ["a"]).valid.all())
        return False

    for url in (gateway.url, gateway.grpc_url):
        assert (answered(url, before), answered(url, after, 3.0)) == (True, False)
    write(clients_file, authority.cert_pem.bytes())
    try:
        for url in (gateway.url, gateway.grpc_url):
            assert (answered(url, before, 3.0), answered(url, after)) == (False, True)
    finally:
        write(clients_file, clients.cert_pem.bytes())


def encrypted(key: bytes) -> bytes:
    private = load_pem_private_key(key, None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("break_files", "says"),
    [
        (lambda files: (files / "key.pem").unlink(), "key.pem cannot be read (No such file or directory)"),
        (lambda files: (files / "certificate.pem").unlink(), "certificate.pem cannot be read"),
        (lambda files: (files / "clients.pem").unlink(), "clients.pem cannot be read"),
        (lambda files: (files / "key.pem").write_text("secret words"), "key.pem holds no private key"),
        (lambda files: (files / "certificate.pem").write_text("words"), "certificate.pem holds no certificate"),
        (lambda files: (files / "clients.pem").write_text(""), "clients.pem holds no certificate"),
        (
            lambda files: (files / "key.pem").write_bytes(trustme.CA().issue_cert("a.b").private_key_pem.bytes()),
            "key.pem is not the key of the certificate",
        ),
        (
            lambda files: (files / "key.pem").write_bytes(encrypted((files / "key.pem").read_bytes())),
            "key.pem is encrypted",
        ),
        (lambda files: (files / "key.pem").chmod(0o606), "every user of this machine may write to "),
    ],
)
def test_files_that_cannot_be_used_are_named_before_anything_starts(
    break_files: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    Files(tmp_path).issue(trustme.CA())
    trustme.CA().cert_pem.write_to_path(tmp_path / "clients.pem")
    settings = Settings(
        tls_certificate=tmp_path / "certificate.pem",
        tls_key=tmp_path / "key.pem",
        tls_client_ca=tmp_path / "clients.pem",
    )
    assert find_gateway_faults(settings) == []
    break_files(tmp_path)
    (fault,) = find_gateway_faults(settings)
    assert says in fault.sentence
    assert "secret" not in fault.sentence


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o660, False), (0o604, True)])
def test_a_key_that_every_user_may_read_is_warned_of(mode: int, warned: bool, tmp_path: Path) -> None:
    Files(tmp_path).issue(trustme.CA())
    (tmp_path / "key.pem").chmod(mode)
    settings = Settings(tls_certificate=tmp_path / "certificate.pem", tls_key=tmp_path / "key.pem")
    assert find_gateway_faults(settings) == []
    warning = describe_readable_key(settings)
    assert ("chmod o-rwx" in warning and "key.pem" in warning) is warned
    assert describe_readable_key(Settings()) == ""


@pytest.mark.parametrize("given", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_half_of_tls_is_a_fault(given: str, tmp_path: Path) -> None:
    Files(tmp_path).issue(trustme.CA())
    (fault,) = find_gateway_faults(Settings.model_validate({given: tmp_path / "certificate.pem"}))
    assert "--tls-certificate" in fault.sentence
    assert "--tls-key" in fault.sentence


def test_a_client_needs_both_its_certificate_and_its_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its key"):
        RewardClient("https://127.0.0.1:1", client_certificate=tmp_path / "client.pem")
