"""Language models as scorers: the log-probability of one word, or its log-odds against another, as the next token.

Rerankers and guards that answer yes or no are asked so, and reward models whose score is one token's logit.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from ..config import Input, UpstreamConfig, Words
from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, to_number, to_table
from .vllm import read_openai_identity

TOP = 20
"""How many of the most probable tokens servers tell at most."""


class WordLogprob(UpstreamProtocol):
    """One token of a completion (``text``, ``response``) or of a chat (``messages``, ``pair``), with its alternatives.

    A ``pair`` is asked as one user message: the prompt, and the response below it.
    """

    inputs: ClassVar[frozenset[Input]] = frozenset({"messages", "text", "response", "pair"})

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

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        choices = sorted(expect_list(answer["choices"], rows), key=lambda choice: choice.get("index", 0))
        return RowAnswers(to_table([self._score(read_alternatives(choice["logprobs"])) for choice in choices]))

    def _score(self, alternatives: dict[str, float]) -> float:
        """Raises ValueError if a word is not among the most probable ones: its probability is then unknown."""
        positive = self._find(alternatives, self._words.positive)
        if self._words.negative is None:
            return positive
        return positive - self._find(alternatives, self._words.negative)

    def _find(self, alternatives: dict[str, float], word: str) -> float:
        if word in alternatives:
            return alternatives[word]
        same = [value for token, value in alternatives.items() if token.strip() == word.strip()]
        if not same:
            raise ValueError(f"the word {word!r} is not among the {TOP} most probable tokens")
        return math.log(sum(math.exp(value) for value in same))

    async def read_identity(self, replica: Replica) -> str:
        return await read_openai_identity(replica, self.config.model)


def read_alternatives(logprobs: Any) -> dict[str, float]:
    """Token -> log-probability at the first place of an answer, in the form of completions or of chats."""
    if isinstance(logprobs.get("content"), list):
        return {entry["token"]: to_number(entry["logprob"]) for entry in logprobs["content"][0]["top_logprobs"]}
    return {token: to_number(value) for token, value in logprobs["top_logprobs"][0].items()}
