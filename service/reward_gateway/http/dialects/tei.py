"""text-embeddings-inference: ``/predict`` for single texts and pairs, ``/rerank`` with ``texts``, ``/info``.

``["a", "b"]`` is one pair, as in text-embeddings-inference: a prompt and its response. A single text is a response.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from reward_gateway import __version__
from reward_gateway.errors import EmptyInput, InvalidRequest
from reward_gateway.intake.chat_text import TextSample
from reward_gateway.intake.request import SampleItem

from ..call import call_of
from ..dependencies import dependencies_of
from .dialect import Dialect
from .error_formats import TEI
from .policy import Policy
from .ranking import order_by_score
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="tei",
        title="text-embeddings-inference",
        clients=("text-embeddings-inference's clients",),
        prefix="tei",
        score="as asked",
        error_format=TEI,
    )
)
router = dialect.router


class PredictRequest(Struct):
    """A text, a pair, or a batch of both."""

    inputs: str | list[str | list[str]]
    raw_scores: bool = False
    model: str | None = None
    reward: str | None = None


class TextsRerank(Struct):
    """A query and the texts to rank."""

    query: str
    texts: list[str]
    raw_scores: bool = False
    return_text: bool = False
    model: str | None = None
    reward: str | None = None


class Prediction(Struct):
    """The score of a label."""

    score: float
    label: str


class RankedText(Struct):
    """One text's index in the request and its score; the text if ``return_text`` is true."""

    index: int
    score: float
    text: str | UnsetType = UNSET


@dialect.post(
    "/predict",
    body=PredictRequest,
    answer=list[Prediction | list[Prediction]],
    example={"inputs": [["How do I boil an egg?", "In water."]], "raw_scores": True},
)
async def predict(request: DialectRequest, body: PredictRequest) -> Any:
    """A score and its label for each input; in [0, 1] unless raw_scores is true.

    A served model with several numbers is answered with all of them, the highest first.
    """
    batch = isinstance(body.inputs, list) and any(isinstance(item, list) for item in body.inputs)
    rows: list[Any] = list(body.inputs) if batch else [body.inputs]
    if not rows or rows == [[]]:
        raise EmptyInput("inputs: there is nothing to score", param="inputs")
    samples = [_read_sample(row, f"inputs[{i}]" if batch else "inputs") for i, row in enumerate(rows)]
    scores = await request.score(samples, body.reward, body.model, labels=True)
    if scores.labels:
        answers = [_sort_labels(scores.labels, row) for row in scores.label_rows(raw=body.raw_scores)]
    else:
        answers = [[{"score": x, "label": "LABEL_0"}] for x in scores.numbers(raw=body.raw_scores)]
    return answers if batch else answers[0]


@dialect.post(
    "/rerank",
    body=TextsRerank,
    answer=list[RankedText],
    example={"query": "How do I boil an egg?", "texts": ["In water.", "In a kettle."]},
    keys=[("query", "texts")],
)
async def rerank(request: DialectRequest, body: TextsRerank) -> Any:
    """Indices and scores, best first; scores in [0, 1] unless raw_scores is true."""
    if not body.texts:
        raise EmptyInput("texts: there is nothing to rank", param="texts")
    samples = [SampleItem(prompt=body.query, response=text) for text in body.texts]
    scores = await request.score(samples, body.reward, body.model)
    numbers = scores.numbers(raw=body.raw_scores)
    if body.return_text:
        return [{"index": i, "text": body.texts[i], "score": numbers[i]} for i in order_by_score(numbers, None)]
    return [{"index": i, "score": numbers[i]} for i in order_by_score(numbers, None)]


@dialect.get("/info", answer=dict[str, Any])
async def info(request: Request) -> Any:
    """What is served, with text-embeddings-inference's keys: a recipe, as a classifier.

    The recipe is that of the address, else the default one.
    """
    deps = dependencies_of(request)
    plan = deps.gateway.get_plan(deps.gateway.resolve_reward(call_of(request.scope).recipe))
    labels = plan.labels or ("LABEL_0",)
    return {
        "model_id": plan.name,
        "model_sha": plan.version,
        "model_dtype": "float32",
        "model_type": {
            "classifier": {
                "id2label": {str(k): label for k, label in enumerate(labels)},
                "label2id": {label: k for k, label in enumerate(labels)},
            }
        },
        "max_concurrent_requests": deps.settings.max_in_flight,
        "max_input_length": deps.settings.max_text_chars,
        "max_batch_tokens": deps.settings.max_text_chars * deps.settings.max_samples,
        "max_batch_requests": None,
        "max_client_batch_size": deps.settings.max_samples,
        "auto_truncate": True,
        "tokenization_workers": 1,
        "version": __version__,
        "sha": None,
        "docker_label": None,
    }


def _sort_labels(labels: Sequence[str], row: Sequence[float]) -> list[dict[str, Any]]:
    """The labels of one input, the highest score first."""
    return [{"score": row[k], "label": labels[k]} for k in order_by_score(row, None)]


def _read_sample(row: str | list[str], param: str) -> SampleItem:
    """A sample from one text (a response) or two (a prompt and its response)."""
    if isinstance(row, str):
        return TextSample(response=row)
    if len(row) == 1:
        return TextSample(response=row[0])
    if len(row) == 2:
        return SampleItem(prompt=row[0], response=row[1])
    raise InvalidRequest(f"{param}: expected one text, or two for a pair", param=param)
