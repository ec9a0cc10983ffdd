"""What is different between trainers: what stands for a failed score, errors, patience, the range of a score.

Each file of this package declares the policy of its dialect. What a sample without a score becomes:

* ``error``: the request fails, 503 or 504 where trying again may help, else 422. The client sees that it failed;
* ``null``: null in the sample's place, with the reason beside it;
* ``marked``: the number that the client's own convention puts there, with the mark that keeps it out of training;
* ``absent``: the sample's score is left out, and the reason stands in the client's list of errors.

None of them is a number that nobody asked for. A recipe with ``on_invalid: default``, or the setting
``dialect_failures``, puts the operator's number in its place.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import OWN_FORMAT, ErrorFormat

OnInvalid = Literal["error", "null", "marked", "absent"]
ScoreRange = Literal["raw", "unit", "as asked", "both"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How one dialect answers.

    Attributes:
        name: key of the setting ``dialect_failures``.
        title: who is spoken to, for people.
        clients: who sends such requests.
        prefix: first segment of its unambiguous paths; empty: it has only those that clients have built in.
        on_invalid: what a sample without a score becomes.
        deadline_s: longest time an answer may take: below the clients' own timeout. None: the settings say.
        score: rewards as the recipe gives them (``raw``), in [0, 1] (``unit``: as they are where the recipe's range
            lies there, else their sigmoid), whichever the request asks for, or both side by side.
        error_format: status and body of an error; its status of "too busy" is what the clients try again on.
    """

    name: str
    title: str
    clients: tuple[str, ...]
    prefix: str
    on_invalid: OnInvalid = "error"
    deadline_s: float | None = None
    score: ScoreRange = "raw"
    error_format: ErrorFormat = OWN_FORMAT

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
        }
