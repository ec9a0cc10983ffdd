"""IFEval: ``length_constraints``."""

import re

from .registry import Count, Place, Relation, Wanted, instruction
from .text import NO_PUNCTUATION, Text, compare


@instruction("length_constraints:number_sentences")
def number_sentences(response: Text, *, num_sentences: Count, relation: Relation = "at least") -> bool:
    """Your response should contain {relation} {num_sentences} sentences."""
    return compare(len(response.sentences), relation, num_sentences)


@instruction("length_constraints:number_words")
def number_words(response: Text, *, num_words: Count, relation: Relation = "at least") -> bool:
    """Answer with {relation} {num_words} words."""
    return compare(len(response.words), relation, num_words)


@instruction("length_constraints:number_paragraphs")
def number_paragraphs(response: Text, *, num_paragraphs: Count) -> bool:
    """There should be {num_paragraphs} paragraphs, separated with the markdown divider: ***. None may be empty."""
    paragraphs = [paragraph.strip() for paragraph in response.raw.split("***")]
    inner = paragraphs[1:-1]
    return all(inner) and len([paragraph for paragraph in paragraphs if paragraph]) == num_paragraphs


@instruction("length_constraints:nth_paragraph_first_word")
def nth_paragraph_first_word(
    response: Text, *, num_paragraphs: Count, nth_paragraph: Place, first_word: Wanted
) -> bool:
    """There should be {num_paragraphs} paragraphs, parted by two new lines; {nth_paragraph} starts with {first_word}.

    The first word ends at the first of . , ? ! ' " and is compared without case.
    """
    paragraphs = response.raw.split("\n\n")
    written = [paragraph for paragraph in paragraphs if paragraph.strip()]
    if len(written) != num_paragraphs or nth_paragraph > len(written):
        return False
    words = paragraphs[nth_paragraph - 1].split()
    if " " in first_word:
        wanted = first_word.lower().split()
        return [word.translate(NO_PUNCTUATION).lower() for word in words[: len(wanted)]] == wanted
    if not words:
        return False
    first = re.split(r"[.,?!'\"]", words[0].lstrip("'").lstrip('"'), maxsplit=1)[0]
    return first.lower() == first_word.lower()
