"""What belongs to one request while it is answered: its deadline, its use of the cache, its costs and its state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from reward_gateway.sample import Usage

from .fetched_media import FetchedMedia
from .request_scope import NO_SCOPE, RequestScope
from .state_view import StateView

CacheMode = Literal["use", "refresh", "off"]
"""``use``: read from the cache and write to it. ``refresh``: compute again and write. ``off``: neither."""


@dataclass(slots=True)
class RequestContext:
    """A request as models, operations and state see it.

    Attributes:
        deadline: a time of the running loop's clock; None: no limit.
        cache: whether cached answers may be used, and whether answers are cached.
        usage: samples, model calls, cache hits and misses; added to.
        timing: milliseconds by phase (``cache``, ``inference``); added to.
        scope: the caller and run whose state is read and written.
        fetched: the images that it names by address.
        effects: how often something outside the recipe's arithmetic was asked or done.
        rows: places of the samples in the request, where another version of the recipe scores the others; None: they
            are all of it.
    """

    deadline: float | None = None
    cache: CacheMode = "use"
    usage: Usage = field(default_factory=Usage)
    timing: dict[str, float] = field(default_factory=dict)
    scope: RequestScope = NO_SCOPE
    fetched: FetchedMedia = field(default_factory=FetchedMedia)
    effects: int = 0
    rows: Sequence[int] | None = None
    _state: StateView | None = None

    @property
    def state(self) -> StateView:
        """What was read of named state, and what will be written at the end."""
        if self._state is None:
            self._state = StateView(self.scope.space)
        return self._state

    @property
    def has_writes(self) -> bool:
        """Whether anything will be written to named state."""
        return self._state is not None and self._state.has_writes

    def name_member(self, cohort: str, row: int) -> str | None:
        """As :meth:`.RequestScope.name_member`, by the sample's place in the request."""
        return self.scope.name_member(cohort, row if self.rows is None else self.rows[row])

    def drop_state(self) -> None:
        """Forget what was to be written to named state."""
        self._state = None

    def add_time(self, phase: str, seconds: float) -> None:
        """Add the duration of a phase."""
        self.timing[phase] = self.timing.get(phase, 0.0) + seconds * 1e3
