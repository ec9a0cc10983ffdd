"""Why a sample has no score."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

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


class Reason(NamedTuple):
    """What a code means, and what to do about it."""

    meaning: str
    advice: str


REASONS: Mapping[InvalidCode, Reason] = {
    "missing_field": Reason(
        "The sample lacks what the recipe reads: response, reference, a prompt, a feature.",
        "Send the field that `param` names. `optional: [prompt]` in the recipe lets a prompt be missing.",
    ),
    "invalid_field": Reason(
        "A field of the sample has a value that the recipe cannot use.",
        "Correct the field that `param` names.",
    ),
    "invalid_media": Reason(
        "An image or frame cannot be decoded, or could not be fetched from its address.",
        "Send a whole PNG, JPEG, WebP or GIF; addresses need the setting `media_urls`.",
    ),
    "too_large": Reason(
        "A text is longer than the model takes, or an image has too many bytes or pixels.",
        "Shorten it, raise the limit, or let the recipe or upstream truncate.",
    ),
    "truncated": Reason(
        "A text exceeds the model's limit, and the recipe has `truncation: refuse`.",
        "Shorten the text, or write `truncation: flag`.",
    ),
    "group_of_one": Reason(
        "The recipe compares the samples of a prompt, and only one valid one came.",
        "Send a prompt's samples in one request, or give the recipe `group: {single: raw}`, `answer: combined` or a "
        "cohort.",
    ),
    "deadline_exceeded": Reason(
        "The deadline passed before this sample was scored.",
        "Allow more time (`deadline_ms`), or send fewer samples at once.",
    ),
    "timeout": Reason(
        "The judge took longer over this question than over the others (`adaptive_timeout`).",
        "Leave the sample out, or raise `adaptive_timeout` in the judges file.",
    ),
    "overloaded": Reason(
        "Too many samples wait for the model, or its server has too much to do.",
        "Send it again later; send less at once, or add replicas.",
    ),
    "model_unavailable": Reason(
        "The model's server cannot be reached, or the model is not ready there.",
        "Send it again; if it lasts, see `GET /readyz` and `reward-gateway doctor`.",
    ),
    "model_error": Reason(
        "The model failed at this sample, or its server refuses what it was sent.",
        "Read the message, and the log of the model's server.",
    ),
    "judge_error": Reason(
        "The judge failed, or its answer could not be read.",
        "Send it again; if it lasts, `reward-gateway judges check` measures how often the judge answers in its form.",
    ),
    "over_budget": Reason(
        "The judge has spent its `daily_budget`.",
        "Wait for the next day (UTC), raise the budget, or name a `fallback`.",
    ),
    "operation_error": Reason(
        "A rule could not be computed for this sample.",
        "Read the message: it names the rule and what it lacks.",
    ),
    "state_unavailable": Reason(
        "The store of state cannot be reached, or has lost what it kept.",
        "Send it again; if it lasts, see `stores` in `GET /readyz`.",
    ),
    "worker_lost": Reason(
        "The process that computed this sample ended.",
        "Send it again; if it is the same sample each time, look for what takes so much memory.",
    ),
    "cancelled": Reason("The job was cancelled before this sample was scored.", "Submit it again if it is wanted."),
    "not_finite": Reason(
        "The reward is no finite number: a feature or a transform is out of range.",
        "Look at the components of the sample (`explain`), and clip what grows too large.",
    ),
    "guard": Reason(
        "A guard of the recipe with `action: invalid` flagged the sample.",
        "Look at `flags`, which names the guard.",
    ),
    "internal_error": Reason(
        "A fault of the gateway.",
        "Look up the request's id (the header `X-Request-Id`) in the gateway's log, and report what you find.",
    ),
}

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
        return self.retryable or self.code in ("model_error", "internal_error", "timeout")

    def of(self, component: str) -> "Invalid":
        """The same reason, with the component of a recipe that it belongs to."""
        return self if self.component else replace(self, component=component)
