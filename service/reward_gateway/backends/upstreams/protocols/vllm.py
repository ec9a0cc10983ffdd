"""vLLM's pooling server (``vllm serve MODEL --runner pooling``): /classify, /pooling, /score and /rerank.

Both names of the activation are sent, since servers ignore a field that they do not know.
"""

import struct
from collections.abc import Sequence
from typing import Any, ClassVar

from ..config import Input
from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, put_in_order, to_number, to_table


class _Vllm(UpstreamProtocol):
    def _body(self, **named: Any) -> dict[str, Any]:
        raw = self.config.activation == "none"
        body = {"model": self.config.model, **named, "use_activation": not raw, "activation": not raw}
        if self.config.input == "text":
            body["add_special_tokens"] = False  # the template has written them
        if self.config.truncate:
            body["truncate_prompt_tokens"] = -1
        return body

    async def read_identity(self, replica: Replica) -> str:
        return await read_openai_identity(replica, self.config.model)


async def read_openai_identity(replica: Replica, model: str) -> str:
    """What ``GET /v1/models`` tells of a model: its id and its root."""
    answer = await replica.get("/v1/models")
    entries = answer.get("data") if isinstance(answer, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (not model or entry.get("id") == model):
            told = [entry.get(key) for key in ("id", "root", "revision")]
            return " ".join(str(value) for value in told if value)
    return ""


class VllmClassify(_Vllm):
    """``POST /classify``: a list of texts, or one conversation."""

    inputs: ClassVar[frozenset[Input]] = frozenset({"messages", "text", "response"})

    @property
    def batches(self) -> bool:
        return self.config.input != "messages"

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        if self.config.input == "messages":
            body = self._body(messages=questions[0].messages, add_generation_prompt=False)
        else:
            body = self._body(input=[question.text for question in questions])
        return CallContent("/classify", body)

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        data = expect_list(answer["data"], rows)
        ordered = sorted(data, key=lambda entry: entry.get("index", 0))
        return RowAnswers(to_table([entry["probs"] for entry in ordered]))


class VllmPooling(_Vllm):
    """``POST /pooling``: the scores of a text, or one per token of process models."""

    inputs: ClassVar[frozenset[Input]] = frozenset({"messages", "text", "response"})
    vector: ClassVar[bool] = True

    @property
    def batches(self) -> bool:
        return self.config.input != "messages"

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        task = "token_classify" if self.config.vector else "classify"
        if self.config.input == "messages":
            body = self._body(messages=questions[0].messages, add_generation_prompt=False, task=task)
        else:
            body = self._body(input=[question.text for question in questions], task=task)
        return CallContent("/pooling", body | {"encoding_format": "float"})

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        data = expect_list(answer["data"], rows)
        ordered = [entry["data"] for entry in sorted(data, key=lambda entry: entry.get("index", 0))]
        if not self.config.vector:
            return RowAnswers(to_table(ordered))
        steps = [
            [to_number(token[-1] if isinstance(token, list) else token) for token in expect_list(row)]
            for row in ordered
        ]
        if not all(steps):
            raise ValueError("a row has no token")
        vectors = {row: struct.pack(f"<{len(values)}f", *values) for row, values in enumerate(steps)}
        return RowAnswers(to_table([values[-1] for values in steps]), vectors=vectors)


class VllmScore(_Vllm):
    """``POST /score``: pairs of texts, the query first."""

    inputs: ClassVar[frozenset[Input]] = frozenset({"pair"})

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        queries, documents = [q.prompt for q in questions], [q.response for q in questions]
        return CallContent("/score", self._body(text_1=queries, text_2=documents))

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        data = expect_list(answer["data"], rows)
        return RowAnswers(put_in_order(data, rows, "score"))


class VllmRerank(_Vllm):
    """Jina's and Cohere's form: one query for all its documents, so that a call holds one row."""

    inputs: ClassVar[frozenset[Input]] = frozenset({"pair"})

    @property
    def batches(self) -> bool:
        return False

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        (question,) = questions
        return CallContent("/v1/rerank", self._body(query=question.prompt, documents=[question.response]))

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        return RowAnswers(put_in_order(expect_list(answer["results"], rows), rows, "relevance_score"))
