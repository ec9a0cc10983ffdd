"""Hugging Face's text-embeddings-inference: /predict and /rerank, with raw scores."""

from collections.abc import Sequence
from typing import Any

from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, order_entries, to_number, to_table
from .reranking import Reranking


class _Tei(UpstreamProtocol):
    @property
    def _raw(self) -> bool:
        return self.config.activation == "none"

    async def read_identity(self, replica: Replica) -> str:
        told = await replica.get("/info")
        if not isinstance(told, dict):
            return ""
        most = told.get("max_client_batch_size")  # 32 unless the server was told another, and more are refused
        replica.most_rows = most if isinstance(most, int) and most > 0 else None
        return " ".join(str(told[key]) for key in ("model_id", "model_sha", "model_dtype") if told.get(key))


class TeiPredict(_Tei):
    """``POST /predict``: labels with their scores, of a text or a pair."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        if self.config.input == "pair":
            inputs: list[Any] = [[question.prompt, question.response] for question in questions]
        else:
            inputs = [[question.text] for question in questions]
        return CallContent("/predict", {"inputs": inputs, "raw_scores": self._raw, "truncate": self.config.truncate})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        """A list of labels with their scores per row, the best first: put in the order of their names' numbers."""
        rows = expect_list(answer, len(questions))
        return RowAnswers(to_table([order_labels(labels, self.config.dimensions) for labels in rows]))


class TeiRerank(Reranking, _Tei):
    """``POST /rerank``: one query and all its texts."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        documents = [question.response for question in questions]
        body = {"query": questions[0].prompt, "texts": documents, "raw_scores": self._raw}
        return CallContent("/rerank", body | {"truncate": self.config.truncate})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        return RowAnswers(to_table([entry["score"] for entry in order_entries(answer, len(questions))]))


def order_labels(labels: Any, dimensions: Sequence[str]) -> list[float]:
    """The scores of a row's labels in the order of the dimensions: by name, or ``LABEL_k`` by number.

    Raises ValueError if the labels are others.
    """
    scores = {str(label["label"]): to_number(label["score"]) for label in expect_list(labels)}
    if len(dimensions) == 1 and len(scores) == 1:
        return list(scores.values())
    if set(scores) == set(dimensions):
        return [scores[name] for name in dimensions]
    numbered = [f"LABEL_{k}" for k in range(len(dimensions))]
    if set(scores) == set(numbered):
        return [scores[name] for name in numbered]
    raise ValueError(f"its labels are {', '.join(sorted(scores))[:200]}; name them as `dimensions`")
