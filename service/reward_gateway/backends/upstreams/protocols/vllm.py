"""vLLM's pooling server (``vllm serve MODEL --runner pooling``): /classify, /pooling, /score and /rerank.

Both names of the activation are sent, since servers ignore a field that they do not know.
"""

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import Invalid

from ..failures import Refused
from ..replica import Replica
from ..rows import Question
from .base import TRUNCATED, CallContent, RowAnswers, UpstreamProtocol, expect_list, order_entries, to_number, to_table
from .reranking import Reranking


class _Vllm(UpstreamProtocol):
    def _body(self, **named: Any) -> dict[str, Any]:
        body = dict(named)
        if self.config.model:
            body["model"] = self.config.model
        if self.config.activation != "server":
            raw = self.config.activation == "none"
            body |= {"use_activation": not raw, "activation": not raw}
        if self.config.input == "text":
            body["add_special_tokens"] = False  # the template has written them
        if self.config.truncate:
            body["truncate_prompt_tokens"] = self.config.max_tokens
        return body

    @property
    def _counts_tokens(self) -> bool:
        """Truncated samples are known by the tokens that the server says it read: of a call with one row."""
        return self.config.truncate and self.config.tokenizer is None

    @property
    def batches(self) -> bool:
        return self.config.input != "messages" and not self._counts_tokens

    def check_answer(self, name: str, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        answers = super().check_answer(name, answer, questions)
        if self._counts_tokens:
            usage = answer.get("usage") or {}
            tokens = usage.get("prompt_tokens") or usage.get("total_tokens")
            if not isinstance(tokens, int):
                reason = f"{name} does not say how many tokens it read: `truncate` needs `tokenizer` there."
                raise Refused(Invalid("model_error", reason))
            if tokens >= (self.config.max_tokens or 0):
                answers.flags[0] = (TRUNCATED,)
        return answers

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

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        if self.config.input == "messages":
            body = self._body(messages=questions[0].messages, add_generation_prompt=False)
        else:
            body = self._body(input=[question.text for question in questions])
        return CallContent("/classify", body)

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        data = order_entries(answer["data"], len(questions))
        return RowAnswers(to_table([entry["probs"] for entry in data]))


class VllmPooling(_Vllm):
    """``POST /pooling``: the scores of a text, or one per token of process models."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        task = "token_classify" if self.config.vector else "classify"
        if self.config.input == "messages":
            body = self._body(messages=questions[0].messages, add_generation_prompt=False, task=task)
        else:
            body = self._body(input=[question.text for question in questions], task=task)
        return CallContent("/pooling", body | {"encoding_format": "float"})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        rows = [entry["data"] for entry in order_entries(answer["data"], len(questions))]
        if not self.config.vector:
            return RowAnswers(to_table(rows))
        answers = RowAnswers(np.full((len(rows), 1), np.nan))
        for row, (tokens, question) in enumerate(zip(rows, questions, strict=True)):
            steps = _select_steps(tokens, question)
            if not steps:
                message = "The model finds no step in the text."
                answers.invalid[row] = Invalid("invalid_field", message, param="response")
            elif all(map(math.isfinite, steps)):
                answers.values[row] = steps[-1]
                answers.vectors[row] = struct.pack(f"<{len(steps)}f", *steps)
        return answers


def _select_steps(tokens: Any, question: Question) -> list[float]:
    """The number of each step, of [tokens, K] numbers: the last of K, which is that of the good label.

    Without marks every row is a step's, as vLLM's own pooler of steps answers.
    """
    rows = expect_list(tokens, len(question.tokens) if question.steps else None)
    chosen = [rows[place] for place in question.steps] if question.steps else rows
    return [to_number(row[-1] if isinstance(row, list) else row) for row in chosen]


class VllmScore(_Vllm):
    """``POST /score``: pairs of texts, the query first."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        queries, documents = [q.prompt for q in questions], [q.response for q in questions]
        return CallContent("/score", self._body(text_1=queries, text_2=documents))

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        data = order_entries(answer["data"], len(questions))
        return RowAnswers(to_table([entry["score"] for entry in data]))


class VllmRerank(Reranking, _Vllm):
    """Jina's and Cohere's form: one query and all its documents."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        documents = [question.response for question in questions]
        return CallContent("/v1/rerank", self._body(query=questions[0].prompt, documents=documents))

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        results = order_entries(answer["results"], len(questions))
        return RowAnswers(to_table([entry["relevance_score"] for entry in results]))
