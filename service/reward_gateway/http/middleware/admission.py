"""The gate, before a byte of the body is read: a place, or a quick refusal. Probes and scrapes pass it by."""

from starlette.types import ASGIApp, Receive, Scope, Send

from reward_gateway.traffic.guard import Traffic

from ..call import call_of


class AdmissionLayer:
    """Holds a place for every request but those of the open paths."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (call := call_of(scope)).open:
            await self.app(scope, receive, send)
            return
        self._traffic.drain.check_accepting()
        deadline = None if call.deadline_s is None else call.arrived_at + call.deadline_s
        admission = self._traffic.admission
        await admission.acquire(deadline)
        try:
            await self.app(scope, receive, send)
        finally:
            admission.release()
