"""vLLM's pooling server: ``/classify``, ``/pooling``, ``/score``, ``/embeddings``. verl's reward clients use it.

A single text is the response, with an empty prompt; in a chat, the last message is the response. Token counts are zero.
"""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.chat_text import TextSample
from reward_gateway.intake.request import SampleItem

from .dialect import Dialect
from .judge_prompts import read_chat
from .policy import Policy
from .ranking import EXAMPLE, RankedRow, RerankRequest, rerank_scores, vllm_results
from .request import DialectRequest, Scores
from .texts import part_text, text_or_messages
from .tokens import texts_of
from .usage import TokenUsage, base64_floats, no_usage, unix_time

dialect = Dialect(
    Policy(
        name="vllm",
        title="vLLM",
        clients=("vLLM's clients", "verl"),
        prefix="vllm",
        score="as asked",
    )
)
router = dialect.router


class Activation(Struct, kw_only=True):
    """Whether scores are probabilities, under the name that vLLM has for it now and its earlier ones."""

    use_activation: bool | None = None
    activation: bool | None = None
    softmax: bool | None = None

    @property
    def activated(self) -> bool | None:
        """What the newest name of these says; None: the request leaves it open."""
        given = (self.use_activation, self.activation, self.softmax)
        return next((asked for asked in given if asked is not None), None)


class PoolingRequest(Activation, kw_only=True):
    """``input`` (a text, texts, or token ids) or ``messages`` (a chat)."""

    input: Any = None
    messages: list[Any] | None = None
    model: str | None = None
    reward: str | None = None
    encoding_format: Literal["float", "base64"] = "float"


class PairRequest(Activation, kw_only=True):
    """Prompts and responses, under any of vLLM's names for them."""

    text_1: Any = None
    text_2: Any = None
    queries: Any = None
    documents: Any = None
    items: Any = None
    data_1: Any = None
    data_2: Any = None
    model: str | None = None
    reward: str | None = None


class ClassRow(Struct):
    """One text's probability, or its raw reward; of a served model with several numbers all of them, and their names.

    ``label`` is the name of the highest.
    """

    index: int
    label: str
    probs: list[float]
    num_classes: int
    labels: list[str] | UnsetType = UNSET


class PooledRow(Struct):
    """One text's raw reward: a list of one number, of a served model's several numbers, per step, or base64."""

    index: int
    object: str
    data: list[Any] | str
    labels: list[str] | UnsetType = UNSET


class EmbeddingRow(Struct):
    """One text's raw reward as an embedding of one number, or base64."""

    index: int
    object: str
    embedding: list[float] | str


class PairRow(Struct):
    """One pair's score."""

    index: int
    object: str
    score: float


class PoolingAnswer(Struct):
    """Fields of every response of vLLM."""

    id: str
    object: str
    created: int
    model: str
    usage: TokenUsage


class Classified(PoolingAnswer):
    """One row per text."""

    data: list[ClassRow]


class Pooled(PoolingAnswer):
    """One row per text."""

    data: list[PooledRow]


class Embedded(PoolingAnswer):
    """One row per text."""

    data: list[EmbeddingRow]


class PairScores(PoolingAnswer):
    """One row per pair."""

    data: list[PairRow]


class Reranked(Struct):
    """Documents, best first."""

    id: str
    model: str
    usage: TokenUsage
    results: list[RankedRow]


@dialect.post(
    "/classify",
    body=PoolingRequest,
    answer=Classified,
    example={"model": "helpful", "input": ["Put it in boiling water for 8 minutes."], "use_activation": False},
    keys=[("input",), ("messages",)],
)
async def classify(request: DialectRequest, body: PoolingRequest) -> Any:
    """One probability per text; with use_activation false the raw reward."""
    return await _score_classes(request, body)


@dialect.post(
    "/v1/classify",
    body=PoolingRequest,
    answer=Classified,
    example={"model": "helpful", "input": "Boil it for 8 minutes."},
)
async def classify_v1(request: DialectRequest, body: PoolingRequest) -> Any:
    """One probability per text; with use_activation false the raw reward."""
    return await _score_classes(request, body)


async def _score_classes(request: DialectRequest, body: PoolingRequest) -> Any:
    scores = await _score_input(request, body, labels=True)
    raw = body.activated is False
    if names := scores.labels:
        data = [
            {"index": i, "label": _name_highest(names, row), "probs": row, "num_classes": len(row), "labels": names}
            for i, row in enumerate(scores.label_rows(raw=raw))
        ]
        return _make_answer("classify", request, scores, data)
    data = [
        {"index": i, "label": "LABEL_0", "probs": [number], "num_classes": 1}
        for i, number in enumerate(scores.numbers(raw=raw))
    ]
    return _make_answer("classify", request, scores, data)


@dialect.post(
    "/pooling",
    body=PoolingRequest,
    answer=Pooled,
    example={"model": "helpful", "input": ["Boil it for 8 minutes."]},
)
async def pooling(request: DialectRequest, body: PoolingRequest) -> Any:
    """The raw reward of each text; one list per step if the recipe returns a vector."""
    scores = await _score_input(request, body, vectors=True, labels=True)
    if names := scores.labels:
        data = [
            {"index": i, "object": "pooling", "data": _encode_row(row, body, steps=False), "labels": names}
            for i, row in enumerate(scores.label_rows(raw=True))
        ]
        return _make_answer("pool", request, scores, data)
    vectors = scores.scored.rewards
    numbers = [[x] for x in scores.raw] if vectors is None else [[float(x) for x in v] for v in vectors]
    data = [
        {"index": i, "object": "pooling", "data": _encode_row(row, body, steps=vectors is not None)}
        for i, row in enumerate(numbers)
    ]
    return _make_answer("pool", request, scores, data)


def _name_highest(names: Sequence[str], row: Sequence[float]) -> str:
    return names[max(range(len(row)), key=row.__getitem__)]


def _encode_row(row: list[float], body: PoolingRequest, *, steps: bool) -> Any:
    if body.encoding_format == "base64":
        return base64_floats(row)
    return [[x] for x in row] if steps else row


@dialect.post(
    "/v1/embeddings",
    body=PoolingRequest,
    answer=Embedded,
    example={"model": "helpful", "input": "Boil it for 8 minutes."},
)
async def embeddings(request: DialectRequest, body: PoolingRequest) -> Any:
    """The raw reward as an embedding of one number: what verl reads from SGLang's reward models."""
    scores = await _score_input(request, body)
    as_text = body.encoding_format == "base64"
    data = [
        {"index": i, "object": "embedding", "embedding": base64_floats([x]) if as_text else [x]}
        for i, x in enumerate(scores.raw)
    ]
    return _make_answer("embd", request, scores, data)


@dialect.post(
    "/score",
    body=PairRequest,
    answer=PairScores,
    example={"model": "helpful", "text_1": "How do I boil an egg?", "text_2": ["In water.", "In a kettle."]},
    keys=[("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")],
)
async def score(request: DialectRequest, body: PairRequest) -> Any:
    """The score in [0, 1] of each pair: one prompt with every response, or one prompt per response."""
    return await _score_pairs(request, body)


@dialect.post(
    "/v1/score",
    body=PairRequest,
    answer=PairScores,
    example={"model": "helpful", "text_1": "How do I boil an egg?", "text_2": ["In water.", "In a kettle."]},
    keys=[("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")],
)
async def score_v1(request: DialectRequest, body: PairRequest) -> Any:
    """The score in [0, 1] of each pair: one prompt with every response, or one prompt per response."""
    return await _score_pairs(request, body)


async def _score_pairs(request: DialectRequest, body: PairRequest) -> Any:
    (prompt_name, prompt_column), (response_name, response_column) = _pair_columns(body)
    prompts, responses = _read_side_list(prompt_column, prompt_name), _read_side_list(response_column, response_name)
    if len(prompts) == 1:
        prompts *= len(responses)
    if len(prompts) != len(responses):
        raise InvalidRequest(
            f"{response_name}: {len(responses)} entries for {len(prompts)} in {prompt_name}; expected one each",
            param=response_name,
        )
    samples = [
        SampleItem(prompt=prompt, response=response) for prompt, response in zip(prompts, responses, strict=True)
    ]
    scores = await request.score(samples, body.reward, body.model)
    numbers = scores.numbers(raw=body.activated is False)
    data = [{"index": i, "object": "score", "score": number} for i, number in enumerate(numbers)]
    return _make_answer("score", request, scores, data)


@dialect.post("/rerank", body=RerankRequest, answer=Reranked, example=EXAMPLE, keys=[("query", "documents")])
async def rerank(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, with scores in [0, 1]."""
    return await _rerank_documents(request, body)


@dialect.post("/v1/rerank", "/v2/rerank", body=RerankRequest, answer=Reranked, example=EXAMPLE, bare=False)
async def rerank_v1(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, with scores in [0, 1]."""
    return await _rerank_documents(request, body)


async def _rerank_documents(request: DialectRequest, body: RerankRequest) -> Any:
    texts, scores = await rerank_scores(request, body)
    results = vllm_results(texts, scores.numbers(), body.top_n)
    return {"id": f"rerank-{request.id}", "model": scores.plan.name, "usage": no_usage(), "results": results}


def _pair_columns(body: PairRequest) -> tuple[tuple[str, Any], tuple[str, Any]]:
    pairs = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))
    for prompt_name, response_name in pairs:
        prompts, responses = getattr(body, prompt_name), getattr(body, response_name)
        if prompts is not None and responses is not None:
            return (prompt_name, prompts), (response_name, responses)
    raise InvalidRequest("the body: expected text_1 and text_2, queries and documents, or data_1 and data_2")


def _read_side_list(value: Any, param: str) -> list[Any]:
    if isinstance(value, list):
        return [_read_side(item, f"{param}[{i}]") for i, item in enumerate(value)]
    return [_read_side(value, param)]


def _read_side(value: Any, param: str) -> Any:
    """A text, or vLLM's multi-modal object, whose ``content`` is the content of one message."""
    if isinstance(value, dict) and "content" in value:
        return text_or_messages([{"role": "user", "content": value["content"]}], param)
    return part_text(value, param)


async def _score_input(
    request: DialectRequest, body: PoolingRequest, *, vectors: bool = False, labels: bool = False
) -> Scores:
    if body.messages is not None:
        samples = [read_chat(request.plan(body.reward, body.model), body.messages, "messages")]
    elif body.input is not None:
        samples = [TextSample(response=text) for text in await texts_of(request, body.input, "input")]
    else:
        raise InvalidRequest("the body: expected input or messages", param="input")
    return await request.score(samples, body.reward, body.model, vectors=vectors, labels=labels)


def _make_answer(kind: str, request: DialectRequest, scores: Scores, data: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"{kind}-{request.id}",
        "object": "list",
        "created": unix_time(),
        "model": scores.plan.name,
        "data": data,
        "usage": no_usage(),
    }
