"""Admission control once the body is read: a slot, or an immediate refusal. Probes and scrapes bypass it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from reward_gateway.traffic.guard import Traffic

from ..call import call_of


class AdmissionLayer:
    """Holds a slot for every request except those of open paths."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (call := call_of(scope)).open:
            await self.app(scope, receive, send)
            return
        deadline = None if call.deadline_s is None else call.arrived_at + call.deadline_s
        admission = self._traffic.admission
        await admission.acquire(deadline)
        try:
            await self.app(scope, receive, send)
        finally:
            admission.release()
