"""SGLang's reward models and rerankers."""

from collections.abc import Sequence
from typing import Any

from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, order_entries, to_table
from .reranking import Reranking


class _Sglang(UpstreamProtocol):
    async def read_identity(self, replica: Replica) -> str:
        told = await replica.get("/model_info")
        if not isinstance(told, dict):
            told = await replica.get("/get_model_info")
        if not isinstance(told, dict):
            return ""
        return " ".join(str(told[key]) for key in ("model_path", "weight_version") if told.get(key))


class SglangClassify(_Sglang):
    """``POST /classify``: one object for one text, a list of them for a list."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        texts = [question.text for question in questions]
        return CallContent("/classify", {"model": self.config.model, "text": texts})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        entries = expect_list(answer if isinstance(answer, list) else [answer], len(questions))
        return RowAnswers(to_table([expect_list(entry["embedding"]) for entry in entries]))


class SglangRerank(Reranking, _Sglang):
    """``POST /v1/rerank``, which answers a list of scores with their index."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        documents = [question.response for question in questions]
        body = {"model": self.config.model, "query": questions[0].prompt, "documents": documents}
        return CallContent("/v1/rerank", body)

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        results = answer["results"] if isinstance(answer, dict) else answer
        return RowAnswers(to_table([entry["score"] for entry in order_entries(results, len(questions))]))
