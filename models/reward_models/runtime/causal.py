"""Tokenises a context and its continuation for a causal language model.

Each side is tokenised separately and then joined, so that a continuation's tokens do not depend on its context; a
space between them belongs to the continuation. No token is inserted between or before them, except that an empty
context becomes the end-of-document token, as a model needs at least one token of context.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from reward_models.runtime.encoder import CHARACTERS_A_TOKEN
from reward_models.runtime.packs import Tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum tokens of a context (cut at its start) and of a continuation (cut at its end)."""

    context: int
    continuation: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A chat message; control tokens in its text are read as plain text."""

    role: str
    text: str


class CausalTokenizer:
    """The tokeniser of a chat model that uses ChatML.

    Args:
        folder: holds ``tokenizer.json``.
        limits: maximum tokens of either side.
        system: the system message of chats without one; empty for none.
    """

    def __init__(self, folder: Path, limits: Limits, system: str = "") -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._limits = limits
        self._system = system
        (self._document,), (self._open,), (self._close,) = (
            self._encode_ids(token, control=True) for token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
        )

    def encode_context(self, text: str) -> tuple[Tokens, bool]:
        """Tokens of a plain text, and whether its start was cut. Control tokens in the text are read as such."""
        max_characters = self._limits.context * CHARACTERS_A_TOKEN
        ids = self._encode_ids(text[-max_characters:], control=True) or (self._document,)
        return self._keep_end(ids), len(text) > max_characters or len(ids) > self._limits.context

    def encode_chat(self, turns: Sequence[Turn]) -> tuple[Tokens, bool]:
        """Tokens of a chat, open for the assistant's next turn, and whether its start was cut."""
        if self._system and (not turns or turns[0].role != "system"):
            turns = [Turn("system", self._system), *turns]
        ids: list[int] = []
        newline = self._encode_ids("\n")
        for turn in turns:
            ids += (self._open, *self._encode_ids(f"{turn.role}\n{turn.text}"), self._close, *newline)
        ids += (self._open, *self._encode_ids("assistant\n"))
        return self._keep_end(tuple(ids)), len(ids) > self._limits.context

    def encode_continuation(self, text: str, control: bool = True) -> tuple[Tokens, bool]:
        """Tokens of a continuation, and whether its end was cut; none for an empty text."""
        max_characters = self._limits.continuation * CHARACTERS_A_TOKEN
        ids = self._encode_ids(text[:max_characters], control)
        return ids[: self._limits.continuation], len(text) > max_characters or len(ids) > self._limits.continuation

    def _encode_ids(self, text: str, control: bool = False) -> Tokens:
        self._tokenizer.encode_special_tokens = not control
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _keep_end(self, ids: Tokens) -> Tokens:
        return ids[-self._limits.context :]
