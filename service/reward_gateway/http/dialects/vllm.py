"""vLLM's pooling server: ``/classify``, ``/pooling``, ``/score``, ``/embeddings``. verl's reward clients speak it.

A single text is the response, its prompt empty; of a chat, the last message is the response. Tokens are not counted.
"""

from typing import Any, Literal

from msgspec import Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.request import SampleItem

from .dialect import Dialect
from .policy import Policy
from .ranking import EXAMPLE, RankedRow, RerankRequest, rerank_scores, vllm_results
from .request import DialectRequest, Scores
from .texts import exchange, part_text, text_or_messages
from .tokens import texts_of
from .usage import TokenUsage, base64_floats, no_usage, now

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


class PoolingRequest(Struct):
    """``input`` (a text, texts, or token ids) or ``messages`` (a chat)."""

    input: Any = None
    messages: list[Any] | None = None
    model: str | None = None
    reward: str | None = None
    use_activation: bool | None = None
    activation: bool | None = None
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def activated(self) -> bool | None:
        """Whether a sigmoid is asked for, under its new name or its old one."""
        return self.activation if self.use_activation is None else self.use_activation


class PairRequest(Struct):
    """Prompts and responses, under one of the names that vLLM has given them."""

    text_1: Any = None
    text_2: Any = None
    queries: Any = None
    documents: Any = None
    items: Any = None
    data_1: Any = None
    data_2: Any = None
    model: str | None = None
    reward: str | None = None
    use_activation: bool | None = None
    activation: bool | None = None


class ClassRow(Struct):
    """One text's probability, or its raw reward."""

    index: int
    label: str
    probs: list[float]
    num_classes: int


class PooledRow(Struct):
    """One text's raw reward: a list of one number, a list per step, or base64."""

    index: int
    object: str
    data: list[Any] | str


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
    """What every answer of vLLM's holds."""

    id: str
    object: str
    created: int
    model: str
    usage: TokenUsage


class Classified(PoolingAnswer):
    """A row per text."""

    data: list[ClassRow]


class Pooled(PoolingAnswer):
    """A row per text."""

    data: list[PooledRow]


class Embedded(PoolingAnswer):
    """A row per text."""

    data: list[EmbeddingRow]


class PairScores(PoolingAnswer):
    """A row per pair."""

    data: list[PairRow]


class Reranked(Struct):
    """Documents from the best to the worst."""

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
async def classify(ask: DialectRequest, body: PoolingRequest) -> Any:
    """One probability a text; with use_activation false the raw reward."""
    return await _classified(ask, body)


@dialect.post(
    "/v1/classify",
    body=PoolingRequest,
    answer=Classified,
    example={"model": "helpful", "input": "Boil it for 8 minutes."},
)
async def classify_v1(ask: DialectRequest, body: PoolingRequest) -> Any:
    """One probability a text; with use_activation false the raw reward."""
    return await _classified(ask, body)


async def _classified(ask: DialectRequest, body: PoolingRequest) -> Any:
    scores = await _scored(ask, body)
    data = [
        {"index": i, "label": "LABEL_0", "probs": [number], "num_classes": 1}
        for i, number in enumerate(scores.numbers(raw=body.activated is False))
    ]
    return _answer("classify", ask, scores, data)


@dialect.post(
    "/pooling",
    body=PoolingRequest,
    answer=Pooled,
    example={"model": "helpful", "input": ["Boil it for 8 minutes."]},
)
async def pooling(ask: DialectRequest, body: PoolingRequest) -> Any:
    """The raw reward of each text; a list a step where the recipe gives a vector."""
    scores = await _scored(ask, body, vectors=True)
    vectors = scores.scored.rewards
    numbers = [[x] for x in scores.raw] if vectors is None else [[float(x) for x in v] for v in vectors]
    data = [
        {"index": i, "object": "pooling", "data": _pooled(row, body, steps=vectors is not None)}
        for i, row in enumerate(numbers)
    ]
    return _answer("pool", ask, scores, data)


def _pooled(row: list[float], body: PoolingRequest, *, steps: bool) -> Any:
    if body.encoding_format == "base64":
        return base64_floats(row)
    return [[x] for x in row] if steps else row


@dialect.post(
    "/v1/embeddings",
    body=PoolingRequest,
    answer=Embedded,
    example={"model": "helpful", "input": "Boil it for 8 minutes."},
)
async def embeddings(ask: DialectRequest, body: PoolingRequest) -> Any:
    """The raw reward as an embedding of one number: what verl reads from SGLang's reward models."""
    scores = await _scored(ask, body)
    as_text = body.encoding_format == "base64"
    data = [
        {"index": i, "object": "embedding", "embedding": base64_floats([x]) if as_text else [x]}
        for i, x in enumerate(scores.raw)
    ]
    return _answer("embd", ask, scores, data)


@dialect.post(
    "/score",
    body=PairRequest,
    answer=PairScores,
    example={"model": "helpful", "text_1": "How do I boil an egg?", "text_2": ["In water.", "In a kettle."]},
    keys=[("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")],
)
async def score(ask: DialectRequest, body: PairRequest) -> Any:
    """The score in [0, 1] of each pair: one prompt with every response, or each with its own."""
    return await _pairs(ask, body)


@dialect.post(
    "/v1/score",
    body=PairRequest,
    answer=PairScores,
    keys=[("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")],
)
async def score_v1(ask: DialectRequest, body: PairRequest) -> Any:
    """The score in [0, 1] of each pair: one prompt with every response, or each with its own."""
    return await _pairs(ask, body)


async def _pairs(ask: DialectRequest, body: PairRequest) -> Any:
    (one, first), (two, second) = _columns(body)
    prompts, responses = _listed(first, one), _listed(second, two)
    if len(prompts) == 1:
        prompts *= len(responses)
    if len(prompts) != len(responses):
        raise InvalidRequest(f"{two}: {len(responses)} of them for {len(prompts)} of {one}; give one each", param=two)
    samples = [SampleItem(prompt=p, response=r) for p, r in zip(prompts, responses, strict=True)]
    scores = await ask.score(samples, body.reward, body.model)
    raw = (body.activation if body.use_activation is None else body.use_activation) is False
    data = [{"index": i, "object": "score", "score": number} for i, number in enumerate(scores.numbers(raw=raw))]
    return _answer("score", ask, scores, data)


@dialect.post("/rerank", body=RerankRequest, answer=Reranked, example=EXAMPLE, keys=[("query", "documents")])
async def rerank(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    return await _reranked(ask, body)


@dialect.post("/v1/rerank", "/v2/rerank", body=RerankRequest, answer=Reranked, example=EXAMPLE, bare=False)
async def rerank_v1(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    return await _reranked(ask, body)


async def _reranked(ask: DialectRequest, body: RerankRequest) -> Any:
    texts, scores = await rerank_scores(ask, body)
    results = vllm_results(texts, scores.numbers(), body.top_n)
    return {"id": f"rerank-{ask.id}", "model": scores.plan.name, "usage": no_usage(), "results": results}


def _columns(body: PairRequest) -> tuple[tuple[str, Any], tuple[str, Any]]:
    pairs = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))
    for one, two in pairs:
        first, second = getattr(body, one), getattr(body, two)
        if first is not None and second is not None:
            return (one, first), (two, second)
    raise InvalidRequest("the body: give text_1 and text_2, queries and documents, or data_1 and data_2")


def _listed(value: Any, param: str) -> list[Any]:
    if isinstance(value, list):
        return [_side(item, f"{param}[{i}]") for i, item in enumerate(value)]
    return [_side(value, param)]


def _side(value: Any, param: str) -> Any:
    """A text, or vLLM's multi-modal object, whose ``content`` is that of one message."""
    if isinstance(value, dict) and "content" in value:
        return text_or_messages([{"role": "user", "content": value["content"]}], param)
    return part_text(value, param)


async def _scored(ask: DialectRequest, body: PoolingRequest, *, vectors: bool = False) -> Scores:
    if body.messages is not None:
        samples = [exchange(body.messages, "messages")]
    elif body.input is not None:
        samples = [SampleItem(response=text) for text in await texts_of(ask, body.input, "input")]
    else:
        raise InvalidRequest("the body: give input or messages", param="input")
    return await ask.score(samples, body.reward, body.model, vectors=vectors)


def _answer(kind: str, ask: DialectRequest, scores: Scores, data: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"{kind}-{ask.id}",
        "object": "list",
        "created": now(),
        "model": scores.plan.name,
        "data": data,
        "usage": no_usage(),
    }
