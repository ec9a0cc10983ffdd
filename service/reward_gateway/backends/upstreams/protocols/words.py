"""Language models as scorers: the log-probability of one word, or its log-odds against another, as the next token.

Rerankers and guards that answer yes or no are asked so, reward models whose score is one token's logit, and process
models that judge each step by ``+`` or ``-``.

With a ``tokenizer`` the words are asked for by their tokens, and found whatever their probability (vLLM 0.11 and
later). Without one they have to be among the 20 most probable tokens, and are known by their text alone, which two
tokens of one vocabulary may share.
"""

import math
import struct
from collections.abc import Sequence
from typing import Any

from reward_gateway.sample import Invalid

from ..config import UpstreamConfig
from ..entry_parts import Words
from ..failures import Refused
from ..replica import Replica
from ..rows import Question
from ..tokens import TextTokens
from .base import CallContent, RowAnswers, UpstreamProtocol, order_entries, to_number, to_table
from .vllm import read_openai_identity

TOP = 20
"""How many of the most probable tokens servers tell at most."""

SHOWN = "The steps of 2 + 2 are few - none, in truth."
"""A text by which the tokenizer that the entry names is compared with the server's."""


class WordLogprob(UpstreamProtocol):
    """One token of a completion (``text``, ``response``) or of a chat (``messages``, ``pair``), with its alternatives.

    A ``pair`` is asked as one user message: the prompt, and the response below it. With a ``step_mark``, each step is
    a completion of its own: of everything up to its mark, as tokens. Servers keep what prompts have in common, also
    between the samples of a group, which they do not where they are asked for the logprobs of a prompt's own tokens.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        assert config.words is not None
        self._words: Words = config.words
        self._tokens = TextTokens.of(config)
        self._ids = {word: self._tokens.find_ids(word) for word in self._named_words} if self._tokens else {}

    @property
    def _named_words(self) -> list[str]:
        return [word for word in (self._words.positive, self._words.negative) if word is not None]

    @property
    def batches(self) -> bool:
        return self.config.input in ("text", "response")

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        shared: dict[str, Any] = {"model": self.config.model, "max_tokens": 1, "temperature": 0.0}
        if self._ids:
            ids = [token for tokens in self._ids.values() for token in tokens]
            shared |= {"logprob_token_ids": ids, "return_tokens_as_token_ids": True}
        if self.batches:
            prompts = [prompt for question in questions for prompt in _prompts_of(question)]
            return CallContent(
                "/v1/completions", {**shared, "prompt": prompts, "logprobs": TOP, "add_special_tokens": False}
            )
        (question,) = questions
        messages = question.messages
        if self.config.input == "pair":
            messages = [{"role": "user", "content": f"{question.prompt}\n{question.response}"}]
        return CallContent(
            "/v1/chat/completions", {**shared, "messages": messages, "logprobs": True, "top_logprobs": TOP}
        )

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        """A row in which a word is not among the most probable ones gets a reason: its probability is unknown."""
        counts = [max(1, len(question.steps)) for question in questions]
        choices = iter(order_entries(answer["choices"], sum(counts)))
        answers = RowAnswers(to_table([None] * len(questions)))
        for row, count in enumerate(counts):
            found = [self._score(read_alternatives(next(choices)["logprobs"])) for _ in range(count)]
            scores = [score for score in found if score is not None]
            if len(scores) < count:
                answers.invalid[row] = self._explain_missing()
                continue
            answers.values[row] = scores[-1]
            if not all(map(math.isfinite, scores)):
                answers.values[row] = math.nan
            elif self.config.vector:
                answers.vectors[row] = struct.pack(f"<{count}f", *scores)
        return answers

    def _score(self, alternatives: dict[str, float]) -> float | None:
        found = [self._find(alternatives, word) for word in self._named_words]
        if None in found:
            return None
        positive, *negative = (value for value in found if value is not None)
        return positive - sum(negative)

    def _find(self, alternatives: dict[str, float], word: str) -> float | None:
        by_id = [alternatives.get(f"token_id:{token}") for token in self._ids.get(word, ())]
        return by_id[0] if by_id and by_id[0] is not None else alternatives.get(word)

    def _explain_missing(self) -> Invalid:
        words = " or ".join(map(repr, self._named_words))
        cure = "" if self._ids else " (name the model's `tokenizer`; a space before a word is a part of it)"
        return Invalid("model_error", f"The token {words} is not among the {TOP} most probable ones{cure}.")

    async def read_identity(self, replica: Replica) -> str:
        """As vLLM tells it. Raises Refused if its tokens are not those of ``tokenizer``, or a word is several."""
        for word, tokens in self._ids.items():
            if len(tokens) != 1:
                raise Refused(Invalid("model_error", f"{word!r} is {len(tokens)} tokens, and has to be one."))
        if self._tokens is not None:
            await self._compare_tokens(replica, self._tokens)
        return await read_openai_identity(replica, self.config.model)

    async def _compare_tokens(self, replica: Replica, ours: TextTokens) -> None:
        body = {"model": self.config.model, "prompt": SHOWN, "add_special_tokens": False}
        try:
            answer = await replica.post("/tokenize", body, self.config.limits.timeout_s)
        except Refused:
            return  # a server that has no such path
        if isinstance(answer, dict) and answer.get("tokens") not in (None, ours.find_ids(SHOWN)):
            raise Refused(Invalid("model_error", f"{replica.name} has another tokenizer than `tokenizer`."))


def _prompts_of(question: Question) -> list[Any]:
    """The text; one list of tokens per step where there are steps, up to its mark."""
    if not question.steps:
        return [question.text]
    return [question.tokens[: place + 1] for place in question.steps]


def read_alternatives(logprobs: Any) -> dict[str, float]:
    """Token -> log-probability at the first place of an answer, in the form of completions or of chats.

    Of tokens with one text the most probable counts, where the answer has them all.
    """
    if isinstance(logprobs.get("content"), list):
        entries = reversed(logprobs["content"][0]["top_logprobs"])
        return {entry["token"]: to_number(entry["logprob"]) for entry in entries}
    return {token: to_number(value) for token, value in logprobs["top_logprobs"][0].items()}
