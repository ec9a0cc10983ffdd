"""Texts as a causal language model reads them: a context, and a continuation of it.

Both sides are cut into tokens by themselves and then joined, so that a continuation's tokens do not depend on its
context; a space between them belongs to the continuation. Nothing is put between or before them, except that an
empty context is the token that ends a document: a model needs something to begin from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from reward_models.runtime.encoder import CHARACTERS_A_TOKEN
from reward_models.runtime.packs import Tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens of a context, which loses its beginning, and of a continuation, which loses its end."""

    context: int
    continuation: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A chat message: its text is never read as control tokens."""

    role: str
    text: str


class CausalTokenizer:
    """The tokeniser of a chat model of the ChatML kind.

    Args:
        folder: holds ``tokenizer.json``.
        limits: how long either side may be.
        system: what stands in the first turn of a chat that has no system message.
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
        """The end of a plain text, and whether its beginning was cut. Control tokens in it are read as such."""
        most = self._limits.context * CHARACTERS_A_TOKEN
        ids = self._encode_ids(text[-most:], control=True) or (self._document,)
        return self._keep_end(ids), len(text) > most or len(ids) > self._limits.context

    def encode_chat(self, turns: Sequence[Turn]) -> tuple[Tokens, bool]:
        """The end of a chat, open for the assistant's next turn, and whether its beginning was cut."""
        if self._system and (not turns or turns[0].role != "system"):
            turns = [Turn("system", self._system), *turns]
        ids: list[int] = []
        newline = self._encode_ids("\n")
        for turn in turns:
            ids += (self._open, *self._encode_ids(f"{turn.role}\n{turn.text}"), self._close, *newline)
        ids += (self._open, *self._encode_ids("assistant\n"))
        return self._keep_end(tuple(ids)), len(ids) > self._limits.context

    def encode_continuation(self, text: str, control: bool = True) -> tuple[Tokens, bool]:
        """The beginning of a text, and whether its end was cut. No tokens for an empty one."""
        most = self._limits.continuation * CHARACTERS_A_TOKEN
        ids = self._encode_ids(text[:most], control)
        return ids[: self._limits.continuation], len(text) > most or len(ids) > self._limits.continuation

    def _encode_ids(self, text: str, control: bool = False) -> Tokens:
        self._tokenizer.encode_special_tokens = not control
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _keep_end(self, ids: Tokens) -> Tokens:
        return ids[-self._limits.context :]
