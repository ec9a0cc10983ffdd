"""The tokens of a text, by the tokenizer of an upstream's model: whether there are too many, and where steps end."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from reward_gateway import extras

from .config import UpstreamConfig


class SteppedText(NamedTuple):
    """A text with marks behind its steps.

    Attributes:
        tokens: all of its tokens.
        steps: the place of each mark's last token among them.
    """

    tokens: Sequence[int]
    steps: Sequence[int]


class TextTokens:
    """Measures texts.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
        max_tokens: the most that the model takes; None: no limit.
        special_tokens: the server adds the special ones.
        step_mark: the text behind each step; empty: there are no steps.

    Attributes:
        pad: the token that fills up shorter texts.
    """

    def __init__(self, tokenizer: Any, max_tokens: int | None, *, special_tokens: bool, step_mark: str = "") -> None:
        self.pad: int = (tokenizer.padding or {}).get("pad_id", 0)
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._max_tokens = max_tokens
        self._special_tokens = special_tokens
        self._mark = step_mark
        self._last_of_mark = self.find_ids(step_mark)[-1:]

    @classmethod
    def of(cls, config: UpstreamConfig) -> "TextTokens | None":
        """Those of an entry; None if it names no tokenizer. Raises MissingExtra, or OSError if it cannot be read."""
        if config.tokenizer is None:
            return None
        with extras.needed():
            from tokenizers import Tokenizer
        return cls(
            Tokenizer.from_file(str(config.tokenizer)),
            config.max_tokens,
            special_tokens=config.adds_special_tokens,
            step_mark=config.step_mark or "",
        )

    def exceeds_limit(self, first: str, second: str | None = None) -> bool:
        """Whether a text, or a pair of texts, has more tokens than the model takes."""
        if self._max_tokens is None:
            return False
        return (
            len(self._tokenizer.encode(first, second, add_special_tokens=self._special_tokens).ids) > self._max_tokens
        )

    def encode(self, first: str, second: str | None = None) -> tuple[Sequence[int], Sequence[int]]:
        """The tokens of a text, or of a pair of texts, and which of the two each belongs to."""
        encoding = self._tokenizer.encode(first, second, add_special_tokens=self._special_tokens)
        return encoding.ids, encoding.type_ids

    def find_ids(self, text: str) -> list[int]:
        """The tokens of a text that stands within another."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def find_steps(self, text: str) -> SteppedText:
        """The places of the marks: tokens that are the last one of the mark, with the rest of the mark before them.

        A token of the same kind elsewhere is no mark, and neither is the mark's text as a part of a longer token.
        """
        encoding = self._tokenizer.encode(text, add_special_tokens=self._special_tokens)
        ends = (end for _, end in encoding.offsets)
        steps = [
            place
            for place, (token, end) in enumerate(zip(encoding.ids, ends, strict=True))
            if [token] == self._last_of_mark and text.endswith(self._mark, 0, end)
        ]
        return SteppedText(encoding.ids, steps)
