"""Who keeps samples, where the operator switched that on, as the dataplane sees it."""

from typing import Protocol

from reward_gateway.sample import Batch, Scored

from .request_scope import RequestScope


class SampleRecorder(Protocol):
    """Is offered every scored batch: once, however often its request is repeated."""

    def offer(self, batch: Batch, scored: Scored, scope: RequestScope) -> None:
        """Take a scored batch. Must be quick and never raise; nothing may be changed, and nothing is copied."""
