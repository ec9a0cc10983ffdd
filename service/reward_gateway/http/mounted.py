"""What is served beside the API at the same address: the console, which the composition root hands over.

The entry keeps what holds for every request (host, origin, certificate, drain, body, admission, counts); what is
mounted says whose a request is and answers it, an error included.
"""

from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reward_gateway.errors import GatewayError
from reward_gateway.traffic.keys import ApiKey


class Mounted(Protocol):
    """Pages for people."""

    def owns(self, scope: Scope) -> bool:
        """Whether it answers this request."""
        ...

    def is_stream(self, scope: Scope) -> bool:
        """Whether the answer is a stream of events, which counts neither as in flight nor in the queue."""
        ...

    def is_asset(self, scope: Scope) -> bool:
        """Whether it is a script or a style, which also a page needs that says that the gateway shuts down."""
        ...

    async def identify(self, scope: Scope) -> ApiKey:
        """Whose request it is. Raises GatewayError, which :meth:`refuse` answers."""
        ...

    async def find_reader(self, scope: Scope) -> ApiKey | None:
        """The key of a browser's session, for documentation alone; None: it has none."""
        ...

    def prefers_page(self, scope: Scope) -> bool:
        """Whether whoever asks would rather read a page than JSON."""
        ...

    async def answer(self, scope: Scope, receive: Receive, send: Send, body: bytes, key: ApiKey) -> None:
        """Answer a request whose body has arrived."""
        ...

    def refuse(self, scope: Scope, error: GatewayError) -> Response:
        """The answer to a request that failed."""
        ...
