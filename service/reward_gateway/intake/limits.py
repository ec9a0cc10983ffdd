"""Limits on what a request may hold. The exact value passes, one more does not; the refusal names the field."""

from collections.abc import Sequence

from reward_gateway.errors import TooLarge
from reward_gateway.sample.fields import FIELDS
from reward_gateway.settings import Settings


class InputLimits:
    """The limits of the settings, each as a check that raises TooLarge with the path of the field."""

    __slots__ = ("_most", "max_name_chars", "max_samples", "max_text_chars")

    def __init__(self, settings: Settings) -> None:
        self.max_samples = settings.max_samples
        self.max_text_chars = settings.max_text_chars
        self.max_name_chars = settings.max_name_chars
        self._most: dict[str, int] = {f.name: getattr(settings, f.limit) for f in FIELDS if f.limit}

    def samples(self, count: int, param: str = "samples") -> None:
        if count > self.max_samples:
            raise TooLarge(f"{count} samples are over the limit of {self.max_samples} per request", param=param)

    def text(self, chars: int, param: str) -> None:
        if chars > self.max_text_chars:
            raise TooLarge(f"{chars} characters are over the limit of {self.max_text_chars} per field", param=param)

    def name(self, chars: int, param: str) -> None:
        if chars > self.max_name_chars:
            raise TooLarge(f"{chars} characters are over the limit of {self.max_name_chars}", param=param)

    def entries(self, count: int, field: str, param: str) -> None:
        """Check how many entries a sample has in one of the fields that have a limit of them."""
        if count > self._most[field]:
            raise TooLarge(f"{count} {field} are over the limit of {self._most[field]} per sample", param=param)

    def texts(self, column: Sequence[str | None], param: str) -> None:
        """Check a whole column; ``param`` is the field's name below ``samples[i]``."""
        longest = max(map(len, filter(None, column)), default=0)
        if longest > self.max_text_chars:
            row = next(i for i, text in enumerate(column) if text and len(text) > self.max_text_chars)
            self.text(longest, f"samples[{row}].{param}")
