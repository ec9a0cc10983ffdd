"""Clients of declared servers trust the same certificates, which are read once."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from reward_gateway.backends.outgoing_http import open_client, share_context

pytestmark = pytest.mark.anyio


async def test_clients_share_what_they_trust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    read, reads = httpx.create_ssl_context, []

    def count(**how: Any) -> ssl.SSLContext:
        reads.append(how)
        return read(**how)

    monkeypatch.setattr("httpx.create_ssl_context", count)
    clients = [open_client({}, 1, http2=http2) for http2 in (False, True) * 8]
    for client in clients:
        await client.aclose()
    assert len(reads) == 2, "one for those that offer HTTP/2, and one for the others"


def test_certificates_that_changed_are_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def trusted() -> list[str]:
        return [str(cert["serialNumber"]) for cert in share_context().get_ca_certs()]

    authorities = [tmp_path / "a.pem", tmp_path / "b.pem"]
    for path in authorities:
        trustme.CA().cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "a.pem"))
    first = trusted()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "b.pem"))
    second = trusted()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "b.pem"))
    third = trusted()
    assert [len(found) for found in (first, second, third)] == [1, 1, 1]
    assert len({first[0], second[0], third[0]}) == 3
