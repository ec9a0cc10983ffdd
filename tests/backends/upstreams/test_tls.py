"""Servers behind TLS: HTTP/2 where they offer it, the operator's own authorities, and the names of certificates."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import numpy as np
import pytest
import trustme
from reward_gateway.backends.upstreams import replicas
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.sample import Batch, Media

from tests.backends.upstreams.oip_server import OwnTensors

from .conftest import MODEL, OpenUpstreams, soon, texts

pytestmark = pytest.mark.anyio


@dataclass
class Http2Server:
    """A classifier that speaks HTTP/2 alone; its score is the number of bytes of a request's last message."""

    context: ssl.SSLContext
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: Any = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        heard: dict[int, tuple[dict[str, str], bytearray]] = {}
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    heard[event.stream_id] = dict(event.headers), bytearray()  # type: ignore[arg-type]
                elif isinstance(event, h2.events.DataReceived):
                    heard[event.stream_id][1].extend(event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self._answer(connection, event.stream_id, *heard.pop(event.stream_id))
            writer.write(connection.data_to_send())
        writer.close()

    def _answer(self, connection: Any, stream: int, headers: dict[str, str], body: bytearray) -> None:
        self.requests.append((headers, bytes(body)))
        answer: dict[str, Any] = {"data": [{"id": MODEL, "root": MODEL}]}
        if body:
            said = json.loads(body)["messages"][-1]["content"]
            answer = {"data": [{"index": 0, "probs": [float(len(said))]}]}
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        connection.send_data(stream, json.dumps(answer).encode(), end_stream=True)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """One that only these tests trust, as the operator's environment says."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
async def server(authority: trustme.CA) -> AsyncIterator[Http2Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "rm.example").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    started = Http2Server(context)
    await started.start()
    yield started
    await started.stop()


def upstream(**more: Any) -> UpstreamConfig:
    shared = {"protocol": "vllm_classify", "model": MODEL, "activation": "server"}
    return UpstreamConfig.model_validate({**shared, **more})


async def test_calls_share_a_connection_where_the_server_offers_http_2(
    server: Http2Server, upstreams: OpenUpstreams
) -> None:
    models = upstreams(rm=upstream(urls=[f"https://127.0.0.1:{server.port}"]))
    batch = texts(*(("p", "x" * k) for k in range(40)))
    answer = await models.score("rm", batch, [*range(40)], soon())
    assert answer.values[:, 0].tolist() == [*range(40)]
    assert server.connections == 1


async def test_an_image_is_streamed_over_http_2(server: Http2Server, upstreams: OpenUpstreams) -> None:
    models = upstreams(rm=upstream(urls=[f"https://127.0.0.1:{server.port}"], images=True))
    batch = Batch(["0"], ["p"], ["four"], images=[[Media(b"\x89PNG\r\n\x1a\n" + bytes(1_000_000))]])
    assert (await models.score("rm", batch, [0], soon())).values.tolist() == [[4]]
    headers, body = max(server.requests, key=lambda request: len(request[1]))
    assert int(headers["content-length"]) == len(body) > 1_300_000


async def test_addresses_of_a_name_are_called_by_the_name_that_the_certificate_has(
    server: Http2Server, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(url: str) -> list[str]:
        return [f"https://127.0.0.1:{server.port}"]

    monkeypatch.setattr(replicas, "resolve_addresses", look_up)
    models = upstreams(rm=upstream(dns=f"https://rm.example:{server.port}"))
    assert (await models.score("rm", texts(("p", "four")), [0], soon())).values.tolist() == [[4]]
    assert {headers[":authority"] for headers, _ in server.requests} == {f"rm.example:{server.port}"}


async def test_a_certificate_of_another_authority_is_refused(
    server: Http2Server, upstreams: OpenUpstreams, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    models = upstreams(rm=upstream(urls=[f"https://127.0.0.1:{server.port}"]))
    (info,) = await models.models()
    assert info.fault == "rm cannot be reached (ConnectError)."


async def test_the_same_over_grpc(
    authority: trustme.CA, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = OwnTensors(
        {"TEXT": ("BYTES", (-1, 1))},
        {"SCORE": ("FP32", (-1, 1))},
        lambda columns: {"SCORE": np.array([[len(text)] for (text,) in columns["TEXT"]], np.float64)},
    )
    url = (await server.start(authority.issue_cert("rm.example"))).replace("grpc:", "grpcs:")
    tensors = {"inputs": {"response": "TEXT"}, "output": "SCORE"}
    config = {"protocol": "oip", "model": "rm", "tensors": tensors}

    async def look_up(asked: str) -> list[str]:
        return [url]

    monkeypatch.setattr(replicas, "resolve_addresses", look_up)
    dns = url.replace("127.0.0.1", "rm.example")
    models = upstreams(
        named=UpstreamConfig.model_validate({**config, "dns": dns}),
        other=UpstreamConfig.model_validate({**config, "urls": [url]}),
    )
    try:
        assert (await models.score("named", texts(("p", "four")), [0], soon())).values.tolist() == [[4]]
        (refused,) = [info for info in await models.models() if info.name == "other"]
        assert "cannot be reached" in refused.fault, "the certificate has another name than the address"
    finally:
        await server.stop()
