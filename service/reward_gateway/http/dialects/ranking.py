"""Rerank: the query is the prompt and each document a response; the best documents come first."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from reward_gateway.intake.request import SampleItem

from .request import DialectRequest, Scores
from .texts import part_text

EXAMPLE = {"model": "helpful", "query": "How do I boil an egg?", "documents": ["In water.", "In a kettle."]}


class RerankRequest(Struct):
    """A query and its documents: texts, or objects with a ``text``."""

    query: Any
    documents: list[Any]
    model: str | None = None
    reward: str | None = None
    top_n: int | None = None
    return_documents: bool = False


class DocumentText(Struct):
    """A document as it was sent."""

    text: str
    multi_modal: None


class RankedRow(Struct):
    """vLLM's row: a document, its index in the request, its score in [0, 1]."""

    index: int
    document: DocumentText
    relevance_score: float


class CohereMeta(Struct):
    """Cohere's metadata of a request."""

    api_version: dict[str, str]
    billed_units: dict[str, int]
    tokens: dict[str, int]
    warnings: list[str]


async def rerank_scores(request: DialectRequest, body: RerankRequest) -> tuple[list[str], Scores]:
    """The documents' texts and their scores."""
    query = part_text(body.query, "query")
    texts = [part_text(document, f"documents[{i}]") for i, document in enumerate(body.documents)]
    scores = await request.score([SampleItem(prompt=query, response=text) for text in texts], body.reward, body.model)
    return texts, scores


def order_by_score(scores: Sequence[float], top_n: int | None) -> list[int]:
    """Indices from the highest score to the lowest, the first ``top_n`` of them; equal scores keep their order.

    All indices if ``top_n`` is None or not positive.
    """
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return order[:top_n] if top_n is not None and top_n > 0 else order


def vllm_results(texts: list[str], unit: list[float], top_n: int | None) -> list[dict[str, Any]]:
    """vLLM's rows with the documents; Cohere's clients ignore the extra keys."""
    return [
        {"index": i, "document": {"text": texts[i], "multi_modal": None}, "relevance_score": unit[i]}
        for i in order_by_score(unit, top_n)
    ]


def cohere_meta(version: str) -> dict[str, Any]:
    """Cohere's metadata of a request; nothing is billed."""
    return {"api_version": {"version": version}, "billed_units": {"search_units": 0}, "tokens": {}, "warnings": []}
