"""``/v1/rerank`` and ``/v2/rerank``, which vLLM and Cohere share: one answer serves both, each reads its own keys."""

from typing import Any

from .dialect import Dialect
from .ranking import EXAMPLE, RerankRequest, cohere_meta, rerank_scores, vllm_results
from .request import DialectRequest
from .usage import no_usage

dialect = Dialect("rerank")
router = dialect.router


@dialect.post("/v1/rerank", body=RerankRequest, example=EXAMPLE)
async def rerank_v1(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    return await _both(ask, body, "1")


@dialect.post("/v2/rerank", body=RerankRequest, example=EXAMPLE)
async def rerank_v2(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    return await _both(ask, body, "2")


async def _both(ask: DialectRequest, body: RerankRequest, version: str) -> Any:
    texts, scores = await rerank_scores(ask, body)
    return {
        "id": ask.id,
        "model": scores.plan.name,
        "usage": no_usage(),
        "results": vllm_results(texts, scores.unit, body.top_n),
        "meta": cohere_meta(version),
    }
