"""Why a sample has no score."""

from dataclasses import dataclass, field, replace
from typing import Literal

InvalidCode = Literal[
    "missing_field",
    "invalid_field",
    "invalid_media",
    "too_large",
    "truncated",
    "group_of_one",
    "deadline_exceeded",
    "timeout",
    "overloaded",
    "model_unavailable",
    "model_error",
    "judge_error",
    "over_budget",
    "operation_error",
    "state_unavailable",
    "worker_lost",
    "cancelled",
    "not_finite",
    "guard",
    "internal_error",
]
"""The closed set of reasons; also the label values of the metric that counts them."""

_TEMPORARY = frozenset(
    (
        "overloaded",
        "model_unavailable",
        "state_unavailable",
        "worker_lost",
        "deadline_exceeded",
        "judge_error",
        "over_budget",
    )
)


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a sample has no score."""

    code: InvalidCode
    message: str
    component: str | None = None
    param: str | None = None
    """Path below the sample, for example ``images[0]``."""
    retry_after_s: float | None = None
    """Seconds after which the server that caused it asks to be called again; None: it does not say."""
    away: bool = field(default=False, compare=False, repr=False)
    """The judge that was asked is away, so that its ``fallback`` may answer; no part of an answer."""

    @property
    def retryable(self) -> bool:
        """True if the cause is temporary and on the server's side, so that the same request may succeed later."""
        return self.code in _TEMPORARY

    @property
    def server_caused(self) -> bool:
        """True if the server caused the failure: the sample then changes no named state."""
        return self.retryable or self.code in ("model_error", "internal_error")

    def of(self, component: str) -> "Invalid":
        """The same reason, with the component of a recipe that it belongs to."""
        return self if self.component else replace(self, component=component)
