"""Who calls: the key of a request, its rights and its rate, before it takes a place."""

from starlette.types import ASGIApp, Receive, Scope, Send

from reward_gateway.errors import GatewayError
from reward_gateway.fair_queue import charge_to
from reward_gateway.observer import Observer
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import Right, token_of

from ..call import API_KEY, call_of

_STATE_PREFIXES = ("/v1/references", "/v1/state", "/v1/sets", "/v1/cohorts", "/v1/archives", "/v1/programs")


def right_for(path: str) -> Right:
    """The right that a path needs: named state, which may hold what others put there, has its own."""
    return "state" if path.startswith(_STATE_PREFIXES) else "score"


class KeysLayer:
    """Identifies the caller of every path but the open ones."""

    def __init__(self, app: ASGIApp, traffic: Traffic, observer: Observer) -> None:
        self.app = app
        self._traffic = traffic
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (call := call_of(scope)).open:
            await self.app(scope, receive, send)
            return
        right = right_for(scope["path"])
        token = token_of(call.headers.get("authorization"), call.headers.get(API_KEY))
        try:
            call.key = await self._traffic.identify_caller(token, right)
        except GatewayError as error:
            self._observer.request_unauthorized(error.code)
            raise
        with charge_to(call.key.share):
            await self.app(scope, receive, send)
