"""OpenRLHF's reward servers: ``POST /get_reward`` with texts, prompts and labels, answered by ``rewards``."""

from collections.abc import Sequence
from typing import Any

from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, to_table


class OpenRlhf(UpstreamProtocol):
    """``POST /get_reward``."""

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        queries = [
            question.prompt + question.response if self.config.input == "pair" else question.text
            for question in questions
        ]
        prompts = [question.prompt for question in questions]
        return CallContent("/get_reward", {"query": queries, "prompts": prompts, "labels": [""] * len(queries)})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        return RowAnswers(to_table(expect_list(answer["rewards"], len(questions))))
