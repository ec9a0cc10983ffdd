"""infinity's classifiers and rerankers, with raw scores: without ``raw_scores`` a single label is always 1."""

from collections.abc import Sequence
from typing import Any

from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, order_entries, to_table
from .reranking import Reranking
from .tei import order_labels
from .vllm import read_openai_identity


class _Infinity(UpstreamProtocol):
    @property
    def _raw(self) -> bool:
        return self.config.activation == "none"

    async def read_identity(self, replica: Replica) -> str:
        told = await read_openai_identity(replica, self.config.model)
        if told:
            return told
        answer = await replica.get("/models")
        entries = answer.get("data") if isinstance(answer, dict) else None
        named = [str(entry.get("id")) for entry in entries or () if isinstance(entry, dict)]
        return self.config.model if self.config.model in named else " ".join(named)


class InfinityClassify(_Infinity):
    """``POST /classify``: labels with their scores per text."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        texts = [question.text for question in questions]
        return CallContent("/classify", {"model": self.config.model, "input": texts, "raw_scores": self._raw})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        rows = expect_list(answer["data"], len(questions))
        return RowAnswers(to_table([order_labels(labels, self.config.dimensions) for labels in rows]))


class InfinityRerank(Reranking, _Infinity):
    """``POST /rerank``: one query and all its documents."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        documents = [question.response for question in questions]
        body = {"model": self.config.model, "query": questions[0].prompt, "documents": documents}
        return CallContent("/rerank", body | {"raw_scores": self._raw})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        results = order_entries(answer["results"], len(questions))
        return RowAnswers(to_table([entry["relevance_score"] for entry in results]))
