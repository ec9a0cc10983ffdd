"""IFEval: ``change_case`` and ``language``. The language is told by lingua (published: langdetect)."""

from .language import speaks
from .registry import Count, Relation, Wanted, instruction
from .text import Text, compare


@instruction("change_case:capital_word_frequency")
def capital_word_frequency(
    response: Text, *, capital_frequency: Count, capital_relation: Relation = "at least"
) -> bool:
    """Words with all capital letters should appear {capital_relation} {capital_frequency} times."""
    return compare(sum(token.isupper() for token in response.tokens), capital_relation, capital_frequency)


@instruction("change_case:english_capital")
def english_capital(response: Text) -> bool:
    """Your entire response should be in English, and in all capital letters."""
    return response.raw.isupper() and speaks("en", response.raw)


@instruction("change_case:english_lowercase")
def english_lowercase(response: Text) -> bool:
    """Your entire response should be in English, and in all lowercase letters. No capital letters are allowed."""
    return response.raw.islower() and speaks("en", response.raw)


@instruction("language:response_language")
def response_language(response: Text, *, language: Wanted) -> bool:
    """Your ENTIRE response should be in {language} (ISO 639-1). A text without letters is in none."""
    return speaks(language, response.raw)
