"""The body of ``POST /v1/jobs``: that of ``POST /v1/score``, with options of how it is delivered."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from reward_gateway.intake.request import ModelName, Options, RewardName, SampleItem

Deliver = Literal["group", "sample", "job"]

SHORTEST_EXPIRY_S, LONGEST_EXPIRY_S = 60, 86_400


class JobOptions(Options, forbid_unknown_fields=True):
    """How the job is scored and delivered."""

    deliver: (
        Annotated[
            Deliver,
            Meta(
                description="What is delivered together: each sample, each group, or the whole job. Default: group for "
                "a recipe that compares the samples of a group, job where all samples are scored together, else sample."
            ),
        ]
        | None
    ) = None
    expires_s: (
        Annotated[
            int,
            Meta(
                description="Seconds without progress after which the job is forgotten.",
                ge=SHORTEST_EXPIRY_S,
                le=LONGEST_EXPIRY_S,
            ),
        ]
        | None
    ) = None
    queue: (
        Annotated[
            bool,
            Meta(description="Whether results go to the queue of the run that X-Run names. Default: true."),
        ]
        | None
    ) = None

    callback: (
        Annotated[
            str,
            Meta(
                description="Address that is told of the job's end, by a signed POST without rewards; its scheme, host "
                "and port must be listed by the operator."
            ),
        ]
        | None
    ) = None


class JobRequest(Struct, forbid_unknown_fields=True):
    """Samples to score by a recipe, later."""

    samples: list[SampleItem]
    reward: RewardName | None = None
    model: ModelName | None = None
    options: JobOptions | None = None


class JobAccepted(Struct):
    """A job that was accepted.

    ``durable``: it outlives the end of every process of the gateway.
    """

    job: str
    status: str
    samples: int
    durable: bool
    expires_s: int


class JobAnswer(Struct):
    """A job, and the results that were new. ``usage`` and ``error`` are there at its end, ``answer`` where the recipe
    compares samples, and then ``groups`` at its end, as in the answer of ``POST /v1/score``."""

    job: str
    status: Literal["queued", "running", "done", "cancelled", "failed", "expired"]
    reward: str
    recipe_version: str
    samples: int
    completed: int
    results: list[dict[str, Any]]
    cursor: str
    answer: str | None = None
    usage: dict[str, int] | None = None
    error: dict[str, Any] | None = None
    groups: dict[str, dict[str, Any]] | None = None


class RunResults(Struct):
    """Results of a run's queue, each with its ``job``, ``index``, ``group``, ``metadata`` and ``receipt``."""

    results: list[dict[str, Any]]


class Acknowledge(Struct, forbid_unknown_fields=True):
    """Receipts of results that were received."""

    receipts: Annotated[list[str], Meta(max_length=65_536)]


class Removed(Struct):
    """How many deliveries were removed."""

    removed: int
