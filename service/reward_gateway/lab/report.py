"""The report of an evaluation, as it is written as JSON; its schema is made of these types.

A number is null where there is nothing to compute it from.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from .outcomes import Ties

Share = Annotated[float, Meta(ge=0, le=1)]


class Accuracy(Struct, frozen=True):
    """Mean outcome of comparisons (1 right, 0 wrong, ties as the options say) with its 95 % interval."""

    n: Annotated[int, Meta(description="Comparisons whose responses all have a score.")]
    value: Share | None
    low: Share | None
    high: Share | None
    ties: Annotated[int, Meta(description="Comparisons with equal scores on top.")]
    prompts: Annotated[int, Meta(description="Different prompts.")]
    interval: Annotated[
        Literal["wilson", "bootstrap"], Meta(description="bootstrap: over prompts, where one has several comparisons.")
    ]


class Estimate(Struct, frozen=True):
    """A number and its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None


class Subset(Struct, frozen=True):
    """A part of the set."""

    name: str
    accuracy: Accuracy


class TiesSubset(Struct, frozen=True):
    """The subset Ties of RewardBench 2, by its rule: .3 tied accuracy + .3 reference accuracy + .2 correctness
    preferred + .2 the same, hard + .01 margin score."""

    rows: Annotated[int, Meta(description="Rows whose responses all have a score.")]
    prompts: Annotated[int, Meta(description="Prompts with a reference row and a tied row.")]
    score: Estimate
    tied_accuracy: Share | None
    reference_accuracy: Share | None
    correctness_preferred: Share | None
    correctness_preferred_hard: Share | None
    margin_score: float | None


class Matrix(Struct, frozen=True):
    """RM-Bench: accuracy by style. Rows: the chosen response concise, detailed, in Markdown; columns: the rejected."""

    cells: list[list[Accuracy]]
    hard: Annotated[Accuracy, Meta(description="Above the diagonal: the rejected response is of the richer style.")]
    normal: Annotated[Accuracy, Meta(description="On the diagonal.")]
    easy: Annotated[Accuracy, Meta(description="Below the diagonal.")]


class Bin(Struct, frozen=True):
    """Pairs of similar confidence."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


class Calibration(Struct, frozen=True):
    """Confidence p = sigmoid(|margin| / temperature) beside the share of pairs that are right at it, a tie half."""

    n: int
    temperature: float
    ece: Annotated[
        float | None, Meta(description="Mean |accuracy - confidence| of the bins, weighted by their counts.")
    ]
    bins: list[Bin]


class Fifth(Struct, frozen=True):
    """Pairs of similar length difference, in words of the chosen response less those of the rejected one."""

    low: float
    high: float
    mean: float
    accuracy: Accuracy


class LengthBias(Struct, frozen=True):
    """How the reward goes with length."""

    n: int
    fifths: list[Fifth]
    slope: Annotated[Estimate, Meta(description="Least squares: margin per 100 words of length difference.")]


class Moments(Struct, frozen=True):
    """What scores are like."""

    n: int
    mean: float | None
    std: float | None
    quantiles: Annotated[dict[str, float], Meta(description="By share: 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.")]
    counts: Annotated[list[int], Meta(description="Scores in each bin of the distribution.")]


class Distribution(Struct, frozen=True):
    """The scores of chosen and of rejected responses, in common bins."""

    edges: list[float]
    chosen: Moments
    rejected: Moments


class Decision(Struct, frozen=True):
    """How a recipe decides a comparison: the scores are the highest of each side."""

    outcome: float
    chosen: float
    rejected: float


class Mistake(Struct, frozen=True):
    """A comparison that a recipe gets wrong."""

    row: Annotated[int, Meta(description="Row of the file, from 1.")]
    id: str
    subset: str | None
    chosen: Annotated[int | None, Meta(description="Which chosen response, from 0; null: all at once.")]
    rejected: Annotated[int | None, Meta(description="Which rejected response, from 0; null: all at once.")]
    decision: Decision


class Flip(Struct, frozen=True):
    """A comparison that the recipes decide differently."""

    row: Annotated[int, Meta(description="Row of the file, from 1.")]
    id: str
    subset: str | None
    chosen: Annotated[int | None, Meta(description="Which chosen response, from 0; null: all at once.")]
    rejected: Annotated[int | None, Meta(description="Which rejected response, from 0; null: all at once.")]
    a: Decision
    b: Decision


class Reward(Struct, frozen=True):
    """What one recipe was found to do."""

    name: str
    recipe_version: str
    models: Annotated[dict[str, str], Meta(description="Component -> model and version.")]
    samples: int
    invalid: Annotated[int, Meta(description="Samples without a score; comparisons with one are left out.")]
    reasons: Annotated[dict[str, int], Meta(description="Code of the reason -> samples.")]
    excluded: Annotated[int, Meta(description="Comparisons that were left out.")]
    accuracy: Accuracy
    subsets: list[Subset]
    subset_mean: Annotated[
        float | None, Meta(description="Mean over subsets, Ties of RewardBench 2 with its score; null without subsets.")
    ]
    ties_subset: TiesSubset | None
    matrix: Matrix | None
    calibration: Calibration
    length: LengthBias
    distribution: Distribution
    mistakes: Annotated[list[Mistake], Meta(description="Those it is surest of, by the margin; 50 at most.")]


class McNemar(Struct, frozen=True):
    """Exact test of the comparisons that A and B decide differently: is one of them right more often?"""

    a_better: int
    b_better: int
    p: Share


class Difference(Struct, frozen=True):
    """A beside B, on the comparisons that both could decide."""

    n: int
    a: Annotated[float | None, Meta(description="Accuracy of A on these.")]
    b: Annotated[float | None, Meta(description="Accuracy of B on these.")]
    difference: Annotated[Estimate, Meta(description="A less B; the interval is a bootstrap over prompts.")]
    mcnemar: McNemar
    agreement: Annotated[Accuracy, Meta(description="Share of comparisons with the same verdict.")]
    kappa: Annotated[Estimate, Meta(description="Cohen's kappa of the verdicts right, wrong and tie.")]
    flips: Annotated[list[Flip], Meta(description="Largest disagreement first.")]


class Measured(Struct, frozen=True):
    """What was measured, and how."""

    file: str
    sha256: str
    layout: str
    rows: int
    left_out: Annotated[dict[str, int], Meta(description="Why rows state no preference -> rows.")]
    comparisons: int
    prompts: int
    service: str
    date: Annotated[str, Meta(description="ISO 8601, UTC.")]
    gateway_version: str
    ties: Ties
    min_accuracy: float | None
    resamples: int
    seed: int


class Report(Struct, frozen=True):
    """The report of ``reward-gateway evaluate``."""

    version: Literal[1]
    measured: Measured
    rewards: Annotated[list[Reward], Meta(min_length=1, max_length=2, description="A, and B if there is one.")]
    difference: Difference | None


def report_schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    schema = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "reward-gateway evaluation", **schema}


def encode_report(report: Report) -> bytes:
    """A report as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
