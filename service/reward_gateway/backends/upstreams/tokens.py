"""The tokens of a text, by the tokenizer of an upstream's model: whether there are too many, and where steps end."""

from collections.abc import Sequence
from typing import Any

from reward_gateway import extras

from .config import UpstreamConfig


class TextTokens:
    """Measures texts.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
        max_tokens: the most that the model takes; None: no limit.
        special_tokens: the server adds the special ones.
        step_mark: the text behind each step; None: there are no steps.
    """

    def __init__(
        self, tokenizer: Any, max_tokens: int | None, *, special_tokens: bool, step_mark: str | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._max_tokens = max_tokens
        self._special_tokens = special_tokens
        self._mark = self._tokenizer.encode(step_mark, add_special_tokens=False).ids[-1:] if step_mark else []

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
            step_mark=config.step_mark,
        )

    def exceeds_limit(self, first: str, second: str | None = None) -> bool:
        """Whether a text, or a pair of texts, has more tokens than the model takes."""
        if self._max_tokens is None:
            return False
        return (
            len(self._tokenizer.encode(first, second, add_special_tokens=self._special_tokens).ids) > self._max_tokens
        )

    def find_steps(self, text: str) -> Sequence[int]:
        """Places of the tokens at which steps end: the last of each mark's."""
        ids = self._tokenizer.encode(text, add_special_tokens=self._special_tokens).ids
        return [place for place, token in enumerate(ids) if [token] == self._mark]
