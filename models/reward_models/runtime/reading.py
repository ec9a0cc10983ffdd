"""Conversations to token ids with a checkpoint's own tokeniser: by chat template, as a pair, or the answer alone.

A chat template writes the special tokens itself, so none are added; for a pair or an answer the tokeniser adds its own.
A text over the limit is cut on the ``left`` or ``right``, or refused, as the card says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from reward_models.runtime.conversation import Conversation
from reward_models.runtime.encoder import CHARACTERS_A_TOKEN
from reward_models.runtime.template import ChatTemplate, TemplateError

TEMPLATE = "chat_template.jinja"
TOKENIZER = "tokenizer.json"


@dataclass(slots=True)
class TokenRow:
    """Tokens of one row; ``marks`` are the positions that are scored, empty if the row is scored as a whole."""

    ids: list[int]
    types: list[int]
    truncated: bool = False
    marks: list[int] = field(default_factory=list)

    @property
    def key(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Equal rows have equal keys."""
        return tuple(self.ids), tuple(self.types)


class RowError(ValueError):
    """A row cannot be scored; the message is ``code: sentence``."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokeniser of a version folder, without truncation and padding."""
    found = Tokenizer.from_file(str(folder / TOKENIZER))
    found.no_truncation()
    found.no_padding()
    return found


def load_chat_template(folder: Path, settings: Mapping[str, Any]) -> ChatTemplate:
    """The template of a version folder."""
    source = (folder / TEMPLATE).read_text("utf-8")
    return ChatTemplate(source, settings["special_tokens"], settings.get("date", "2024-07-26"))


class Reader:
    """Reads conversations by a card's ``settings``: ``read``, ``tokens``, ``cut``."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._mode: str = settings["read"]
        self._limit: int = settings["tokens"]
        self._cut: str = settings["cut"]
        self._tokenizer = load_tokenizer(folder)
        self._tokenizer.enable_truncation(self._limit, direction="left" if self._cut == "left" else "right")
        self._template = load_chat_template(folder, settings) if self._mode == "chat" else None

    def encode_conversation(self, conversation: Conversation, answers_tokens: bool = False) -> TokenRow:
        """Tokens of one row.

        Args:
            conversation: what is read.
            answers_tokens: mark the positions of the answer's tokens.

        Raises:
            RowError: the template rejects it, or it is over the limit and the card refuses such rows.
        """
        parts, span = self._split_parts(conversation, answers_tokens)
        first, second = self._bound_length(parts[0]), self._bound_length(parts[1]) if len(parts) > 1 else None
        encoding = self._tokenizer.encode(first, second, add_special_tokens=self._template is None)
        truncated = bool(encoding.overflowing) or any(len(part) > self._most for part in parts)
        if truncated and self._cut == "refuse":
            raise RowError(f"too_large: The text has more than {self._limit} tokens.")
        row = TokenRow(encoding.ids, encoding.type_ids, truncated)
        if answers_tokens:
            dropped = max(0, len(parts[0]) - self._most) if self._cut == "left" else 0
            row.marks = self._find_answer_tokens(encoding, len(parts) - 1, tuple(end - dropped for end in span))
        return row

    def _split_parts(self, conversation: Conversation, with_span: bool) -> tuple[Sequence[str], tuple[int, int]]:
        """The texts to encode, and the span of the answer in a template's text."""
        if self._mode == "pair":
            return (conversation.asked, conversation.answer), (0, 0)
        if self._template is None:
            return (conversation.answer,), (0, 0)
        try:
            if not with_span:
                return (self._template.render_messages(conversation.messages),), (0, 0)
            text, start, stop = self._template.locate_answer(conversation.messages)
        except TemplateError as error:
            raise RowError(f"invalid_field: {error}") from None
        return (text,), (start, stop)

    def _find_answer_tokens(self, encoding: Any, sequence: int, span: tuple[int, ...]) -> list[int]:
        """Positions of the answer's tokens: by its span in a template's text, otherwise by sequence number."""
        if self._template is None:
            return [at for at, number in enumerate(encoding.sequence_ids) if number == sequence]
        start, stop = span
        return [at for at, (left, right) in enumerate(encoding.offsets) if start <= left < right <= stop]

    @property
    def _most(self) -> int:
        return self._limit * CHARACTERS_A_TOKEN

    def _bound_length(self, text: str) -> str:
        """A text without what is certainly over the limit, to bound the work."""
        return text[-self._most :] if self._cut == "left" else text[: self._most]
