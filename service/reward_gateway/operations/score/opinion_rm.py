"""A tiny reward model of summaries of opinions: seven expert features, one number."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful
from ..grading.objects import make_schema, read_keys
from ..judged import JudgeQuestion, ask_judge, find_injections
from ..mlp import Activation, Head, linear, read_head
from ..names import JudgeName, StoredSet
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Leveraging Domain Knowledge for Efficient Reward Modelling in RLHF: A Case-Study in E-Commerce Opinion "
    "Summarization",
    "https://arxiv.org/abs/2402.15473",
)

FEATURES = (
    "aspect-coverage",
    "opinion-faithfulness",
    "opinion-coverage",
    "conciseness",
    "relevance",
    "hallucination",
    "language-correctness",
)
"""The features, in the order of the head's weights."""

HIGHEST = 5.0

SCHEMA = make_schema({key: {"type": "number", "minimum": 0, "maximum": HIGHEST} for key in FEATURES})


class Params(OperationParams):
    weights: list[float] | None = Field(
        None, description="Seven weights, in the order of the features; no stored head."
    )
    bias: float = Field(0.0, description="Bias beside the weights.")
    activation: Activation = Field("sigmoid", description="Of the weights' output.")
    head: StoredSet = Field("opinion_rm", description="Stored head (kind heads), where no weights are given.")
    judge: JudgeName = Field("default", description="Judge that grades items which come as texts.")

    @model_validator(mode="after")
    def _one_weight_a_feature(self) -> Self:
        if self.weights is not None and len(self.weights) != len(FEATURES):
            raise ValueError(f"weights holds {len(self.weights)} numbers; the features are {len(FEATURES)}")
        return self


class Item(OperationItem):
    features: dict[str, float] | None = Field(None, description="All seven features, each 0 to 5.")
    reviews: list[str] | None = Field(
        None, description="Reviews that are summed up, for the judge where there are no features."
    )
    summary: str | None = Field(None, description="Summary that the judge grades.")


def feature_row(features: Mapping[str, Any]) -> list[float]:
    """The features in their order.

    Raises:
        ItemError: one is missing, unknown or outside 0..5.
    """
    unknown = [name for name in features if name not in FEATURES]
    if unknown:
        raise ItemError(f"there is no feature {unknown[0]!r}; the features are {', '.join(FEATURES)}")
    row = []
    for name in FEATURES:
        value = features.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ItemError(f"the feature {name!r} is missing; it is never guessed")
        if not 0 <= value <= HIGHEST:
            raise ItemError(f"the feature {name!r} must lie between 0 and {HIGHEST:g}")
        row.append(float(value))
    return row


def parse_grades(answer: str) -> list[float]:
    """The features in a judge's answer: the JSON object that ends it, with exactly the seven keys."""
    return feature_row(read_keys(answer, FEATURES))


@operation("score", "opinion_rm", item=Item, params=Params, source=SOURCE, fidelity="verified")
def opinion_rm(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Quality of a summary of opinions from seven expert features.

    x = features / 5 in [0, 1]^7; without hidden layers φ(x) = σ(W x + b); with them, the activation (sigmoid, tanh or
    relu) stands behind the first and the last linear layer only. Order of the features: aspect-coverage,
    opinion-faithfulness, opinion-coverage, conciseness, relevance, hallucination, language-correctness.

    The head is a stored one (`head`: layers of weight and bias), or one layer from `weights` and `bias`. A sigmoid
    bounds a pair's margin to (−1, 1), and its Bradley–Terry probability to .27–.73. The loss of a pair:
    `audit/bradley_terry`.

    Give `features`, or `reviews` and `summary` for a judge to grade. A feature that is missing, unknown or outside 0–5,
    and a judge's answer without exactly the seven, are an item error. Details: `features` (in order), `judge_answer`.
    """
    rows: list[list[float] | None] = [None] * columns.size
    invalid: dict[int, Invalid] = {}
    texts = columns.rows(("reviews", "summary"))
    table = _read_features(columns)
    asked: dict[int, JudgeQuestion] = {}
    for i in range(columns.size):
        try:
            if (features := table[i]) is not None:
                rows[i] = feature_row(features)
            elif texts[i]["reviews"] and texts[i]["summary"] is not None:
                asked[i] = _build_question(**texts[i])
            else:
                raise ItemError("give features, or reviews and summary")
        except ItemError as error:
            invalid[i] = invalid_field(str(error), "features")
    judged = yield from ask_judge(params.judge, asked, parse_grades, schema=SCHEMA)
    invalid |= judged.invalid
    for i, grades in judged.values.items():
        rows[i] = grades
    kept = [i for i in range(columns.size) if rows[i] is not None]
    reward = np.full(columns.size, np.nan)
    if kept:
        try:
            head: Head = (
                linear(params.weights, params.bias, params.activation)
                if params.weights is not None
                else (yield from read_head(params.head))
            )
            reward[kept] = _apply_head(head, np.array([rows[i] for i in kept]) / HIGHEST)
        except ItemError as error:
            invalid.update(dict.fromkeys(kept, Invalid("model_unavailable", str(error))))
    details: dict[str, Sequence[Any]] = {"features": rows, **judged.tell(columns.size)}
    flags = find_injections(columns.objects("reviews"), columns.objects("summary"))
    return Outcome(reward=reward, details=details, invalid=invalid, flags=flags)


def _read_features(columns: Columns) -> list[Mapping[str, Any] | None]:
    """The features of every row; a recipe may hand them over as one column a feature."""
    given = columns.given("features")
    if isinstance(given, Mapping):
        return [{name: float(values[i]) for name, values in given.items()} for i in range(columns.size)]
    return list(columns.objects("features"))


def _apply_head(head: Head, inputs: FloatArray) -> FloatArray:
    outputs = head.forward(inputs, after="ends")
    if outputs.shape[1] != 1:
        raise ItemError("the head must give one number")
    return np.asarray(outputs[:, 0])


def _build_question(reviews: list[str], summary: str) -> JudgeQuestion:
    listed = "\n".join(f"- {review}" for review in reviews)
    return question("opinion", {"reviews": listed, "summary": summary}, features=", ".join(FEATURES))
