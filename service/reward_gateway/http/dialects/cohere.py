"""Cohere's rerank API: point its SDK at ``http://HOST:8080/cohere``."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from .dialect import Dialect
from .error_formats import MESSAGE
from .policy import Policy
from .ranking import EXAMPLE, CohereMeta, RerankRequest, cohere_meta, order_by_score, rerank_scores
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
    """A document's index in the request and its score in [0, 1]; the document if ``return_documents`` is true."""

    index: int
    relevance_score: float
    document: dict[str, str] | UnsetType = UNSET


class CohereAnswer(Struct):
    """Documents, best first."""

    id: str
    results: list[CohereRow]
    meta: CohereMeta


@dialect.post("/v1/rerank", body=RerankRequest, answer=CohereAnswer, example=EXAMPLE, bare=False)
async def rerank_v1(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, with scores in [0, 1]; with the documents themselves if `return_documents` is true."""
    texts, scores = await rerank_scores(request, body)
    unit = scores.numbers()
    results: list[dict[str, Any]] = [
        {"index": i, "relevance_score": unit[i], **({"document": {"text": texts[i]}} if body.return_documents else {})}
        for i in order_by_score(unit, body.top_n)
    ]
    return {"id": request.id, "results": results, "meta": cohere_meta("1")}


@dialect.post("/v2/rerank", body=RerankRequest, answer=CohereAnswer, example=EXAMPLE, bare=False)
async def rerank_v2(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, with scores in [0, 1]."""
    _, scores = await rerank_scores(request, body)
    unit = scores.numbers()
    results = [{"index": i, "relevance_score": unit[i]} for i in order_by_score(unit, body.top_n)]
    return {"id": request.id, "results": results, "meta": cohere_meta("2")}
