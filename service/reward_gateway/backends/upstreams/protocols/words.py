"""Language models as scorers: the log-probability of one word, or its log-odds against another, as the next token.

Rerankers and guards that answer yes or no are asked so, and reward models whose score is one token's logit.
"""

import math
from collections.abc import Sequence
from typing import Any

from reward_gateway.sample import Invalid

from ..config import UpstreamConfig, Words
from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, order_entries, to_number, to_table
from .vllm import read_openai_identity

TOP = 20
"""How many of the most probable tokens servers tell at most."""


class WordLogprob(UpstreamProtocol):
    """One token of a completion (``text``, ``response``) or of a chat (``messages``, ``pair``), with its alternatives.

    A ``pair`` is asked as one user message: the prompt, and the response below it.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        assert config.words is not None
        self._words: Words = config.words

    @property
    def batches(self) -> bool:
        return self.config.input in ("text", "response")

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        shared = {"model": self.config.model, "max_tokens": 1, "temperature": 0.0}
        if self.batches:
            prompts = [question.text for question in questions]
            body: dict[str, Any] = {**shared, "prompt": prompts, "logprobs": TOP, "add_special_tokens": False}
            return CallContent("/v1/completions", body)
        (question,) = questions
        messages = question.messages
        if self.config.input == "pair":
            messages = [{"role": "user", "content": f"{question.prompt}\n{question.response}"}]
        return CallContent(
            "/v1/chat/completions", {**shared, "messages": messages, "logprobs": True, "top_logprobs": TOP}
        )

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        """A row in which a word is not among the most probable ones gets a reason: its probability is unknown."""
        choices = order_entries(answer["choices"], len(questions))
        scores = [self._score(read_alternatives(choice["logprobs"])) for choice in choices]
        invalid = {
            row: Invalid("model_error", f"The word is not among the {TOP} most probable tokens.")
            for row, score in enumerate(scores)
            if score is None
        }
        return RowAnswers(to_table(scores), invalid)

    def _score(self, alternatives: dict[str, float]) -> float | None:
        positive = self._find(alternatives, self._words.positive)
        if self._words.negative is None or positive is None:
            return positive
        negative = self._find(alternatives, self._words.negative)
        return None if negative is None else positive - negative

    def _find(self, alternatives: dict[str, float], word: str) -> float | None:
        if word in alternatives:
            return alternatives[word]
        same = [value for token, value in alternatives.items() if token.strip() == word.strip()]
        return math.log(sum(map(math.exp, same))) if same else None

    async def read_identity(self, replica: Replica) -> str:
        return await read_openai_identity(replica, self.config.model)


def read_alternatives(logprobs: Any) -> dict[str, float]:
    """Token -> log-probability at the first place of an answer, in the form of completions or of chats."""
    if isinstance(logprobs.get("content"), list):
        return {entry["token"]: to_number(entry["logprob"]) for entry in logprobs["content"][0]["top_logprobs"]}
    return {token: to_number(value) for token, value in logprobs["top_logprobs"][0].items()}
