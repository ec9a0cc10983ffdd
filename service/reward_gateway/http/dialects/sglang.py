"""SGLang's own ``/classify``: ``text`` or ``input_ids`` in, the raw reward as an embedding of one number out."""

from time import perf_counter
from typing import Any

from msgspec import Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.chat_text import TextSample

from .dialect import Dialect
from .policy import Policy
from .ranking import EXAMPLE, RerankRequest, order_by_score, rerank_scores
from .request import DialectRequest
from .tokens import texts_of

dialect = Dialect(
    Policy(
        name="sglang",
        title="SGLang",
        clients=("SGLang's clients",),
        prefix="sglang",
    )
)
router = dialect.router


class NativeClassify(Struct):
    """A text, texts, or token ids."""

    text: str | list[str] | None = None
    input_ids: list[Any] | None = None
    model: str | None = None
    reward: str | None = None


class RewardEmbedding(Struct):
    """The raw reward of one text as an embedding of one number; of a served model with several, all of them.

    Then ``meta_info`` has their names, as ``labels``.
    """

    embedding: list[float]
    meta_info: dict[str, Any]


class RankedDocument(Struct):
    """One document, its score in [0, 1] and its index in the request."""

    score: float
    document: str
    index: int
    meta_info: dict[str, Any]


@dialect.post(
    "/classify",
    body=NativeClassify,
    answer=RewardEmbedding | list[RewardEmbedding],
    example={"model": "helpful", "text": ["Put it in boiling water for 8 minutes."]},
    keys=[("text",), ("input_ids",)],
    methods=("POST", "PUT"),
)
async def classify(request: DialectRequest, body: NativeClassify) -> Any:
    """The raw reward of each text: one object for a single text, an array for several."""
    return await _score_texts(request, body)


@dialect.post(
    "/encode",
    body=NativeClassify,
    answer=RewardEmbedding | list[RewardEmbedding],
    methods=("POST", "PUT"),
    example={"text": "Boil it for 8 minutes."},
)
async def encode(request: DialectRequest, body: NativeClassify) -> Any:
    """The raw reward of each text: one object for a single text, an array for several."""
    return await _score_texts(request, body)


async def _score_texts(request: DialectRequest, body: NativeClassify) -> Any:
    texts: Any
    if body.text is not None:
        texts, param = body.text, "text"
    elif body.input_ids is not None:
        texts, param = body.input_ids, "input_ids"
    else:
        raise InvalidRequest("the body: expected text or input_ids", param="text")
    samples = [TextSample(response=text) for text in await texts_of(request, texts, param)]
    scores = await request.score(samples, body.reward, body.model, labels=True)
    latency = perf_counter() - request.started
    numbers = scores.label_rows(raw=True) if scores.labels else [[x] for x in scores.numbers()]
    names: dict[str, Any] = {"labels": scores.labels} if scores.labels else {}
    rows: list[dict[str, Any]] = [
        {
            "embedding": row,
            "meta_info": {"id": f"{request.id}-{i}", "prompt_tokens": 0, "e2e_latency": latency} | names,
        }
        for i, row in enumerate(numbers)
    ]
    single = isinstance(texts, str) or bool(param == "input_ids" and texts and isinstance(texts[0], int))
    return rows[0] if single else rows


@dialect.post("/v1/rerank", body=RerankRequest, answer=list[RankedDocument], example=EXAMPLE, bare=False)
async def rerank(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, as a bare array."""
    texts, scores = await rerank_scores(request, body)
    unit = scores.unit
    return [
        {"score": unit[i], "document": texts[i], "index": i, "meta_info": {}} for i in order_by_score(unit, body.top_n)
    ]
