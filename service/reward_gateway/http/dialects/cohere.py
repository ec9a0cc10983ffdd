"""Cohere's rerank, by itself: point its SDK at ``http://HOST:8080/cohere``."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from .dialect import Dialect
from .error_formats import MESSAGE
from .policy import Policy
from .ranking import EXAMPLE, CohereMeta, RerankRequest, cohere_meta, ranked, rerank_scores
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="cohere",
        title="Cohere rerank",
        clients=("Cohere's SDK", "Jina's clients"),
        prefix="cohere",
        score="unit",
        error_format=MESSAGE,
    )
)
router = dialect.router


class CohereRow(Struct):
    """A document's place in the request and its score in [0, 1]; the document where it is asked for."""

    index: int
    relevance_score: float
    document: dict[str, str] | UnsetType = UNSET


class CohereAnswer(Struct):
    """Documents from the best to the worst."""

    id: str
    results: list[CohereRow]
    meta: CohereMeta


@dialect.post("/v1/rerank", body=RerankRequest, answer=CohereAnswer, example=EXAMPLE, bare=False)
async def rerank_v1(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]; the documents themselves where they are asked for."""
    texts, scores = await rerank_scores(ask, body)
    unit = scores.numbers()
    results: list[dict[str, Any]] = [
        {"index": i, "relevance_score": unit[i], **({"document": {"text": texts[i]}} if body.return_documents else {})}
        for i in ranked(unit, body.top_n)
    ]
    return {"id": ask.id, "results": results, "meta": cohere_meta("1")}


@dialect.post("/v2/rerank", body=RerankRequest, answer=CohereAnswer, example=EXAMPLE, bare=False)
async def rerank_v2(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    _, scores = await rerank_scores(ask, body)
    unit = scores.numbers()
    results = [{"index": i, "relevance_score": unit[i]} for i in ranked(unit, body.top_n)]
    return {"id": ask.id, "results": results, "meta": cohere_meta("2")}
