"""Who keeps the history of training runs, as the dataplane sees it."""

from typing import Protocol

from reward_gateway.sample import Scored

from .request_scope import RequestScope


class RunRecorder(Protocol):
    """Is handed every batch that counts for a run: once, however often its request is repeated."""

    def record(self, scored: Scored, scope: RequestScope) -> None:
        """Take a scored batch. Must be quick and never raise; nothing may be changed, and columns are not copied."""
