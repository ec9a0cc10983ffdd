"""What differs between trainers: how a failed score is answered, error formats, timeouts, the range of a score.

Each file of this package declares the policy of its dialect; :data:`FAILURES` says what a sample without a score
becomes. None of these invents a number. A recipe with ``on_invalid: default``, or a number in the setting
``dialect_failures``, is the operator's choice of a number for failed samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import OWN_FORMAT, ErrorFormat

OnInvalid = Literal["error", "null", "marked", "absent"]
ScoreRange = Literal["raw", "unit", "as asked", "both"]

FAILURES: Mapping[OnInvalid, str] = {
    "error": "The request fails, with 503 or 504 if a retry may help, else with 422.",
    "null": "null instead of the score, with the reason.",
    "marked": "The number of the client's own convention, with the mark that keeps it out of training.",
    "absent": "No score for the sample, and the reason in the client's list of errors.",
}
"""What a sample without a score becomes."""

ONE_SAMPLE = (
    "One sample per request: a recipe that compares the samples of a prompt refuses it (`group_of_one`), unless the "
    "recipe collects them first, with `group: {normalize: zscore, cohort: {size: 8, timeout_s: 30}}` (`size`: samples "
    "per prompt; the trainer has to send them at the same time), or answers the reward before the comparison, with "
    "`group: {normalize: zscore, answer: combined}`."
)
"""Stands on the page of every path whose clients send one sample per request."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How one dialect answers.

    Attributes:
        name: key of the setting ``dialect_failures``.
        title: human-readable name.
        clients: the trainers and SDKs that send such requests.
        prefix: first segment of its unambiguous paths; empty: it has only the paths built into the clients.
        on_invalid: what a sample without a score becomes.
        deadline_s: longest time a response may take, below the clients' own timeout. None: the settings' default.
        score: rewards as the recipe gives them (``raw``), in [0, 1] (``unit``: unchanged if the recipe's range lies
            in it, else their sigmoid), whichever the request asks for (``as asked``), or both (``both``).
        error_format: status and body of an error; its status for an overloaded server is one that the clients retry.
        one_sample: its clients send one sample per request; see :data:`ONE_SAMPLE`.
    """

    name: str
    title: str
    clients: tuple[str, ...]
    prefix: str
    on_invalid: OnInvalid = "error"
    deadline_s: float | None = None
    score: ScoreRange = "raw"
    error_format: ErrorFormat = OWN_FORMAT
    one_sample: bool = False

    def row(self) -> dict[str, Any]:
        """The policy as ``GET /v1/dialects`` shows it."""
        return {
            "name": self.name,
            "title": self.title,
            "clients": list(self.clients),
            "prefix": f"/{self.prefix}" if self.prefix else None,
            "on_invalid": self.on_invalid,
            "overload_status": self.error_format.overload_status,
            "deadline_s": self.deadline_s,
            "score": self.score,
            "error_format": self.error_format.name,
            "one_sample": self.one_sample,
            "flags": "X-Reward-Flags",
        }
