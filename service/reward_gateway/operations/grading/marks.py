"""What a caller's pattern finds in the replies of a trained judge, such as ``[[7]]``."""

from typing import Annotated

from pydantic import AfterValidator, Field

from ..outcome import ItemError
from ..patterns import compile_pattern
from .visible import read_final

TIMEOUT_S = 0.1


def _check_pattern(pattern: str) -> str:
    if compile_pattern(pattern).groups != 1:
        raise ValueError(r"the pattern has one group, which holds the grade or the verdict: \[\[(\d+)\]\]")
    return pattern


MarkPattern = Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)]
"""A regular expression with one group, for judges with a form of their own: ``[[7]]``."""


def read_mark(reply: str, pattern: str) -> str:
    """What the pattern's group holds, outside of reasoning, earlier fences and lines that begin with ``>``.

    Raises:
        ItemError: the pattern is not found, takes too long, or finds two texts that differ.
    """
    text = read_final(reply)
    try:
        found: set[str] = {
            match[1].strip() for match in compile_pattern(pattern).finditer(text, timeout=TIMEOUT_S) if match[1]
        }
    except TimeoutError:
        raise ItemError("the pattern `reply` takes too long on the judge's answer") from None
    if not found:
        raise ItemError("the judge's answer does not match the pattern `reply`")
    if len(found) > 1:
        raise ItemError("the judge's answer matches the pattern `reply` with texts that differ")
    return found.pop()
