"""Asks a server over HTTP one harmless question."""

import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from reward_gateway.backends.outgoing_http import share_context
from reward_gateway.client.tls import ClientTls

_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        failure: why there is no answer, in a few words; empty if there is one.
        body: its JSON object; empty if it is none.
        date: its header.
    """

    status: int = 0
    failure: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    date: str = ""

    def model_names(self) -> list[str]:
        """The names in a list of models as OpenAI's API gives it."""
        rows = self.body.get("data")
        return [row["id"] for row in rows if isinstance(row, dict) and "id" in row] if isinstance(rows, list) else []


def ask_server(url: str, key: SecretStr | None, timeout_s: float, *, own: bool = False) -> Answer:
    """``GET`` an address with its key.

    Args:
        own: it is a reward gateway, whose certificate is checked as the client checks it.
    """
    headers = {"accept": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key.get_secret_value()}"
    try:
        verify = ClientTls.of().context() if own and url.startswith("https:") else share_context()
        client = httpx.Client(verify=verify, trust_env=False, timeout=timeout_s)
        with client, client.stream("GET", url, headers=headers) as response:
            content = b""
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_BYTES:
                    break
    except httpx.TimeoutException:
        return Answer(failure="no answer in time")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Answer(failure=type(error).__name__)  # never the message, which may hold a key
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    date = response.headers.get("date", "")
    return Answer(response.status_code, body=body if isinstance(body, dict) else {}, date=date)


def open_connection(url: str, timeout_s: float) -> str:
    """Why no connection to a server that speaks gRPC can be made; empty if one can."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 443), timeout_s).close()
    except OSError as error:
        return f"it cannot be reached ({error.strerror or type(error).__name__}); check the address"
    return ""
