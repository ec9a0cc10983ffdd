"""RLVR-IFeval: IFEval's instructions as functions with arguments of their own (open-instruct's ``func_name``).

Their rules differ from IFEval's: counts are exact where IFEval says at least, "around" allows a tenth (sentences: one).
"""

import json
import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from .language import speaks
from .registry import Count, Place, Wanted, instruction
from .text import Text

Quantifier = Literal["at least", "around", "at most"]
Wishes = Annotated[list[Wanted], Field(min_length=1)]
Letter = Annotated[str, Field(min_length=1, max_length=1)]

_SENTENCE_END = re.compile(r"(?<!\w\.\w.)(?<![A-Z][a-z]\.)(?<=[.?!])\s")
_DIVIDER = "* * *"
_STARS = "******"


def _is_count(count: int, wanted: int, quantifier: Quantifier, tolerance: int) -> bool:
    if quantifier == "around":
        return abs(count - wanted) <= tolerance
    return count >= wanted if quantifier == "at least" else count <= wanted


def _count_enclosed(response: Text, opening: str, closing: str) -> int:
    """How many parts of lines are enclosed, each read from an opening to the next closing."""
    count = 0
    for line in response.lines:
        at = 0
        while (start := line.find(opening, at)) >= 0 and (end := line.find(closing, start + len(opening))) >= 0:
            count, at = count + 1, end + len(closing)
    return count


def _tenth(wanted: int) -> int:
    return max(round(wanted / 10), 1)


@instruction("verify_keywords")
def verify_keywords(response: Text, *, keyword_list: Wishes) -> bool:
    """Include the keywords {keyword_list}, whatever their case, also within words."""
    return all(keyword.lower() in response.lower for keyword in keyword_list)


@instruction("verify_keyword_frequency")
def verify_keyword_frequency(response: Text, *, word: Wanted, N: Count) -> bool:
    """The word {word} should appear exactly {N} times, whatever its case."""
    return re.findall(r"\w+", response.lower).count(word.lower()) == N


@instruction("validate_forbidden_words")
def validate_forbidden_words(response: Text, *, forbidden_words: Wishes) -> bool:
    """Do not include the keywords {forbidden_words}, not even within words."""
    return not any(word.lower() in response.lower for word in forbidden_words)


@instruction("verify_letter_frequency")
def verify_letter_frequency(response: Text, *, letter: Letter, N: Count) -> bool:
    """The letter {letter} should appear exactly {N} times; case counts."""
    return response.raw.count(letter) == N


@instruction("validate_response_language")
def validate_response_language(response: Text, *, language: Wanted) -> bool:
    """The entire response should be in {language}, a code of ISO 639-1."""
    return speaks(language, response.raw)


@instruction("verify_paragraph_count")
def verify_paragraph_count(response: Text, *, N: Count) -> bool:
    """There are exactly {N} paragraphs, none empty, parted by the divider * * *."""
    paragraphs = response.raw.split(_DIVIDER)
    return len(paragraphs) == N and all(paragraph.strip() for paragraph in paragraphs)


@instruction("validate_word_constraint")
def validate_word_constraint(response: Text, *, N: Count, quantifier: Quantifier) -> bool:
    """Answer with {quantifier} {N} words; "around" allows a tenth more or less, at least one."""
    return _is_count(len(response.raw.split()), N, quantifier, _tenth(N))


@instruction("verify_sentence_constraint")
def verify_sentence_constraint(response: Text, *, N: Count, quantifier: Quantifier) -> bool:
    """Answer with {quantifier} {N} sentences; "around" allows one more or less."""
    return _is_count(len(_SENTENCE_END.split(response.raw)), N, quantifier, 1)


@instruction("validate_paragraphs")
def validate_paragraphs(response: Text, *, N: Count, first_word: Wanted, i: Place) -> bool:
    """There are {N} paragraphs, parted by an empty line; the {i}-th starts with {first_word}."""
    paragraphs = response.raw.split("\n\n")
    return len(paragraphs) == N and i <= N and paragraphs[i - 1].strip().startswith(first_word)


@instruction("verify_postscript")
def verify_postscript(response: Text, *, postscript_marker: Wanted) -> bool:
    """Add a postscript that starts with {postscript_marker}, with words behind it."""
    _, found, after = response.raw.partition(postscript_marker)
    return bool(found) and bool(after.strip())


@instruction("validate_placeholders")
def validate_placeholders(response: Text, *, N: Count) -> bool:
    """There are at least {N} placeholders in square brackets, such as [address]."""
    return _count_enclosed(response, "[", "]") >= N


@instruction("verify_bullet_points")
def verify_bullet_points(response: Text, *, N: Count) -> bool:
    """There are exactly {N} bullet points: lines that begin with * or -."""
    return sum(line.strip().startswith(("*", "-")) for line in response.lines) == N


@instruction("validate_title")
def validate_title(response: Text) -> bool:
    """There is a title in double angular brackets, such as <<poem of joy>>."""
    return _count_enclosed(response, "<<", ">>") > 0


@instruction("validate_choice")
def validate_choice(response: Text, *, options: Wishes) -> bool:
    """Answer with one of the options {options}."""
    return any(option in response.raw for option in options)


@instruction("validate_highlighted_sections")
def validate_highlighted_sections(response: Text, *, N: Count) -> bool:
    """Highlight at least {N} sections with Markdown: *highlighted section*."""
    return _count_enclosed(response, "*", "*") >= N


@instruction("validate_sections")
def validate_sections(response: Text, *, N: Count, section_splitter: Wanted) -> bool:
    """There are at least {N} sections, each marked with {section_splitter} and its number, whatever the case."""
    return len(re.findall(rf"{re.escape(section_splitter)}\s?\d+", response.raw, re.IGNORECASE)) >= N


@instruction("validate_json_format")
def validate_json_format(response: Text) -> bool:
    """The entire response is JSON."""
    try:
        json.loads(response.raw)
    except (ValueError, RecursionError):
        return False
    return True


@instruction("validate_repeat_prompt")
def validate_repeat_prompt(response: Text, *, original_prompt: Wanted) -> bool:
    """Begin by repeating the request {original_prompt} without change."""
    return response.raw.startswith(original_prompt)


@instruction("validate_two_responses")
def validate_two_responses(response: Text) -> bool:
    """Give two different responses, parted by ****** once."""
    parts = [part.strip() for part in response.raw.split(_STARS)]
    return len(parts) == 2 and all(one != other for one, other in pairwise(parts))


@instruction("validate_uppercase")
def validate_uppercase(response: Text) -> bool:
    """Capital letters only."""
    return response.raw == response.raw.upper()


@instruction("validate_lowercase")
def validate_lowercase(response: Text) -> bool:
    """Small letters only."""
    return response.raw == response.lower


@instruction("validate_frequency_capital_words")
def validate_frequency_capital_words(response: Text, *, N: Count, quantifier: Quantifier) -> bool:
    """Words of capital letters alone appear {quantifier} {N} times; "around" allows a tenth more or less."""
    return _is_count(len(re.findall(r"\b[A-Z]+\b", response.raw)), N, quantifier, _tenth(N))


@instruction("validate_end")
def validate_end(response: Text, *, end_phrase: Wanted) -> bool:
    """End with the exact phrase {end_phrase}."""
    return response.raw.endswith(end_phrase)


@instruction("validate_quotation")
def validate_quotation(response: Text) -> bool:
    """Wrap the entire response in double quotation marks."""
    return len(response.raw) > 1 and response.raw[0] == response.raw[-1] == '"'


@instruction("validate_no_commas")
def validate_no_commas(response: Text) -> bool:
    """Do not use any commas."""
    return "," not in response.raw
