"""OpenRLHF's reward servers: ``POST /get_reward`` with texts, prompts and labels, answered by ``rewards``."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ..config import Input
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, plain_input, to_table


class OpenRlhf(UpstreamProtocol):
    """``POST /get_reward``."""

    inputs: ClassVar[frozenset[Input]] = frozenset({"text", "pair", "response"})

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        queries = [
            question.prompt + question.response if self.config.input == "pair" else plain_input(question, self.config)
            for question in questions
        ]
        prompts = [question.prompt for question in questions]
        return CallContent("/get_reward", {"query": queries, "prompts": prompts, "labels": [""] * len(queries)})

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        return RowAnswers(to_table(expect_list(answer["rewards"], rows)))
