"""A converted process reward model: a score for each step or token of an answer, and summaries of them.

Steps are given by the caller, or split at separators. Each is followed by a mark, a token at which the checkpoint was
trained to judge the preceding step. The dimensions of a row are summaries of its steps' scores: the minimum (a chain
of thought is as good as its weakest step; Lightman et al., 2023), mean, last, product, maximum or sum.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.conversation import Conversation, read_conversations
from reward_models.runtime.encoder import CHARACTERS_A_TOKEN
from reward_models.runtime.instance import Instance
from reward_models.runtime.network import open_network
from reward_models.runtime.reading import Reader, RowError, TokenRow, load_chat_template, load_tokenizer
from reward_models.runtime.rows import Answer, Columns
from reward_models.runtime.template import TemplateError, as_text

Doubles = NDArray[np.float64]
Read = Callable[[Conversation], TokenRow]

SUMMARIES: Mapping[str, Callable[[Doubles], float]] = {
    "min": lambda values: float(values.min()),
    "mean": lambda values: float(values.mean()),
    "last": lambda values: float(values[-1]),
    "product": lambda values: float(values.prod()),
    "max": lambda values: float(values.max()),
    "sum": lambda values: float(values.sum()),
}
"""Dimension -> summary of the scores of an answer's steps or tokens."""


class StepReader:
    """Conversations to tokens with a mark behind each step, by ``split``, ``mark``, ``mark_id``, ``whole``.

    ``whole``: the mark is a special token, so that the text with its marks is tokenised at once; otherwise each step
    is tokenised separately, so that a mark never merges with adjacent text.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._limit: int = settings["tokens"]
        self._cut: str = settings["cut"]
        self._split: str = settings["split"]
        self._mark: str = settings["mark"]
        self._mark_id: int = settings["mark_id"]
        self._whole: bool = settings["whole"]
        self._tokenizer = load_tokenizer(folder)
        self._template = load_chat_template(folder, settings)

    def encode_conversation(self, conversation: Conversation) -> TokenRow:
        """Tokens and marks of one row. Raises RowError for an answer without a step, or one that is too long."""
        steps = conversation.split_steps(self._split)
        if not steps:
            raise RowError("invalid_field: The answer has no step.")
        if sum(map(len, steps)) + len(conversation.asked) > self._limit * CHARACTERS_A_TOKEN:
            raise RowError(f"too_large: The text has far more than {self._limit} tokens.")
        try:
            ids, marks = (
                self._encode_whole_text(conversation, steps)
                if self._whole
                else self._encode_by_step(conversation, steps)
            )
        except TemplateError as error:
            raise RowError(f"invalid_field: {error}") from None
        return self._apply_limit(ids, marks)

    def _encode_whole_text(self, conversation: Conversation, steps: list[str]) -> tuple[list[int], list[int]]:
        # Marks in the caller's text are removed, so that they are not scored as steps.
        marked = "".join(step.replace(self._mark, "") + self._mark for step in steps)
        before = [remove_mark(turn, self._mark) for turn in conversation.messages]
        answer = {**as_text(before[-1]), "content": marked}
        ids = self._encode_ids(self._template.render_messages([*before[:-1], answer]))
        return ids, [at for at, token in enumerate(ids) if token == self._mark_id]

    def _encode_by_step(self, conversation: Conversation, steps: list[str]) -> tuple[list[int], list[int]]:
        before, after = self._template.split_around_answer(conversation.messages)
        ids, marks = self._encode_ids(before), []
        for step in steps:
            ids += self._encode_ids(step)
            marks.append(len(ids))
            ids.append(self._mark_id)
        return ids + self._encode_ids(after), marks

    def _apply_limit(self, ids: list[int], marks: list[int]) -> TokenRow:
        over = len(ids) - self._limit
        if over <= 0:
            return TokenRow(ids, [0] * len(ids), marks=marks)
        if self._cut == "refuse":
            raise RowError(f"too_large: The text has more than {self._limit} tokens.")
        dropped = over if self._cut == "left" else 0
        ids = ids[dropped : dropped + self._limit]
        kept = [mark - dropped for mark in marks if 0 <= mark - dropped < self._limit]
        if not kept:
            raise RowError(f"too_large: No step ends within the {self._limit} tokens that are read.")
        return TokenRow(ids, [0] * len(ids), truncated=True, marks=kept)

    def _encode_ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def remove_mark(turn: Mapping[str, Any], mark: str) -> Mapping[str, Any]:
    """A turn without a mark in its text or in its calls."""
    cleaned: dict[str, Any] = {**turn, "content": str(turn["content"]).replace(mark, "")}
    if turn.get("tool_calls"):
        cleaned["tool_calls"] = json.loads(json.dumps(turn["tool_calls"], ensure_ascii=False).replace(mark, ""))
    return cleaned


class StepScorer:
    """Scores [n, K] of the steps (``unit: step``) or tokens (``unit: token``) of an answer, one dimension a summary."""

    def __init__(self, instance: Instance) -> None:
        settings = instance.card["settings"]
        if settings["unit"] == "step":
            self._read: Read = StepReader(instance.folder, settings).encode_conversation
        else:
            self._read = self._read_tokens_with(Reader(instance.folder, settings))
        self._network = open_network(instance)
        self._summaries = [SUMMARIES[name] for name in instance.dimensions]
        self._truncated, self._media_ignored = instance.flag_mask("truncated"), instance.flag_mask("media_ignored")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; an answer without a step or token is that row's error."""
        answer = Answer.empty(rows, len(self._summaries))
        read, errors = read_conversations(columns, rows)
        answer.errors.update(errors)
        tokens: dict[int, TokenRow] = {}
        for row, conversation in read.items():
            try:
                tokens[row] = self._read(conversation)
            except RowError as error:
                answer.errors[row] = str(error)
                continue
            answer.flags[row] = np.uint32(
                tokens[row].truncated * self._truncated | conversation.ignored * self._media_ignored
            )
        vectors = [np.empty(0, np.float32)] * rows
        for (row, read_row), given in zip(tokens.items(), self._network.score_rows(list(tokens.values())), strict=True):
            if isinstance(given, RowError):
                answer.errors[row] = str(given)
                continue
            vectors[row] = given[read_row.marks]
            values = vectors[row].astype(np.float64)
            answer.scores[row] = [summary(values) for summary in self._summaries]
        answer.vectors = vectors
        return answer

    @staticmethod
    def _read_tokens_with(reader: Reader) -> Read:
        def read(conversation: Conversation) -> TokenRow:
            row = reader.encode_conversation(conversation, answers_tokens=True)
            if not row.marks:
                raise RowError("invalid_field: The answer has no token that is read.")
            return row

        return read
