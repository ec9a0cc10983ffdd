"""Cohere's rerank, by itself: point its SDK at ``http://HOST:8080/cohere``."""

from typing import Any

from .dialect import Dialect
from .ranking import EXAMPLE, RerankRequest, cohere_meta, ranked, rerank_scores
from .request import DialectRequest

dialect = Dialect("cohere")
router = dialect.router


@dialect.post("/v1/rerank", body=RerankRequest, example=EXAMPLE, bare=False)
async def rerank_v1(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]; the documents themselves where they are asked for."""
    texts, scores = await rerank_scores(ask, body)
    unit = scores.unit
    results: list[dict[str, Any]] = [
        {"index": i, "relevance_score": unit[i], **({"document": {"text": texts[i]}} if body.return_documents else {})}
        for i in ranked(unit, body.top_n)
    ]
    return {"id": ask.id, "results": results, "meta": cohere_meta("1")}


@dialect.post("/v2/rerank", body=RerankRequest, example=EXAMPLE, bare=False)
async def rerank_v2(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    _, scores = await rerank_scores(ask, body)
    unit = scores.unit
    results = [{"index": i, "relevance_score": unit[i]} for i in ranked(unit, body.top_n)]
    return {"id": ask.id, "results": results, "meta": cohere_meta("2")}
