"""Connections to a server over HTTP with JSON, kept alive; over HTTP/2 where the server offers it on TLS."""

import json
from typing import Any

import httpx
import msgspec

from reward_gateway.sample import Invalid

from ..outgoing_http import open_client
from .failures import Refused, ReplicaFailed, read_refusal
from .images import JsonBody

CONNECT_S = 2.0
IDLE_S = 3.0
"""Shorter than the five seconds after which uvicorn, and so vLLM, closes an idle connection."""

LARGEST_ANSWER = 64 << 20


class HttpConnection:
    """A server.

    Args:
        key: the API key; empty: none.
        connections: maximum connections.
        host: the name in the ``Host`` header and of the certificate; empty: the address has it.
    """

    def __init__(self, url: str, key: str, connections: int, host: str = "") -> None:
        self._url = url
        self._extensions = {"sni_hostname": host.partition(":")[0]} if host else {}
        headers = dict[str, str]()
        if key:
            headers["authorization"] = f"Bearer {key}"
        if host:
            headers["host"] = host
        self._client = open_client(headers, connections, connect_s=CONNECT_S, idle_s=IDLE_S, http2=True)

    async def request(self, name: str, method: str, path: str, body: Any) -> Any:
        """The decoded answer; ``name`` is the server's in messages.

        Raises:
            ReplicaFailed: the server did not answer, or not now.
            Refused: it refuses this request.
        """
        sent = None if body is None else JsonBody(body)
        answer = bytearray()
        try:
            async with self._client.stream(
                method,
                f"{self._url}{path}",
                content=None if sent is None else sent.content,
                headers={} if sent is None else {"content-length": str(sent.size)},
                extensions=self._extensions,
            ) as response:
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > LARGEST_ANSWER:
                        raise Refused(Invalid("model_error", f"{name} sent an answer over the size limit."))
        except httpx.HTTPError as error:
            reason = Invalid("model_unavailable", f"{name} cannot be reached ({type(error).__name__}).")
            raise ReplicaFailed(reason, lost=True) from None
        if not 200 <= response.status_code < 300:
            raise read_refusal(name, response.status_code, response.headers, bytes(answer))
        return decode_json(name, answer)

    async def close(self) -> None:
        await self._client.aclose()


def decode_json(name: str, answer: bytes | bytearray) -> Any:
    """The value of an answer, in which Python's servers write NaN and Infinity. Raises Refused if it is not JSON."""
    try:
        return msgspec.json.decode(answer)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise Refused(Invalid("model_error", f"{name} sent an answer that is not JSON.")) from None
