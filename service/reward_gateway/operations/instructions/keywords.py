"""IFEval: ``keywords``. Words are looked for as they are written, not as regular expressions."""

from typing import Annotated

from pydantic import Field

from .registry import Count, Relation, Wanted, instruction
from .text import Text, compare, find_word

Words = Annotated[list[Wanted], Field(min_length=1)]


@instruction("keywords:existence")
def existence(response: Text, *, keywords: Words) -> bool:
    """Include keywords {keywords} in the response. Case does not count; a keyword may be part of a longer word."""
    return all(keyword.lower() in response.lower for keyword in keywords)


@instruction("keywords:frequency")
def frequency(response: Text, *, keyword: Wanted, frequency: Count, relation: Relation = "at least") -> bool:
    """The word {keyword} should appear {relation} {frequency} times. Case does not count."""
    return compare(response.lower.count(keyword.strip().lower()), relation, frequency)


@instruction("keywords:forbidden_words")
def forbidden_words(response: Text, *, forbidden_words: Words) -> bool:
    """Do not include keywords {forbidden_words} in the response. They are meant as whole words, in any case."""
    return not any(find_word(word, response.raw) for word in forbidden_words)


@instruction("keywords:letter_frequency")
def letter_frequency(
    response: Text,
    *,
    letter: Annotated[str, Field(min_length=1, max_length=1)],
    let_frequency: Count,
    let_relation: Relation = "at least",
) -> bool:
    """The letter {letter} should appear {let_relation} {let_frequency} times. Case does not count."""
    return compare(response.lower.count(letter.lower()), let_relation, let_frequency)
