"""A response as instructions look at it: its sentences, words and lines, each found once."""

import re
import string
from functools import cache, cached_property
from typing import Any

from ..tokens import split_terms
from .word_lists import read_list

NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
EDGES = string.punctuation + " "
"""What is stripped of the ends of a word."""

_ABBREVIATIONS = read_list("abbreviations")


class Text:
    """A response.

    Attributes:
        raw: as it is.
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw

    @cached_property
    def lower(self) -> str:
        return self.raw.lower()

    @cached_property
    def sentences(self) -> list[str]:
        """Sentences, as Punkt splits them."""
        return split_sentences(self.raw)

    @cached_property
    def words(self) -> list[str]:
        r"""Runs of letters and digits (``\w+``) in lower case; letters of scripts without spaces count each."""
        return split_terms(self.raw)

    @cached_property
    def bare_words(self) -> list[str]:
        """What white space parts once punctuation is taken out of the text."""
        return self.raw.translate(NO_PUNCTUATION).split()

    @cached_property
    def tokens(self) -> list[str]:
        """Words and signs as the Penn Treebank parts them (``do``, ``n't``, ``,``)."""
        tokens: list[str] = [token for sentence in self.sentences for token in tokenise(sentence)]
        return tokens

    @cached_property
    def lines(self) -> list[str]:
        return self.raw.split("\n")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, without the space around them."""
    sentences: list[str] = _load_punkt().tokenize(text)
    return sentences


def tokenise(text: str) -> list[str]:
    """Words and signs of a sentence, as the Penn Treebank parts them."""
    tokens: list[str] = _load_treebank().tokenize(text)
    return tokens


def find_word(word: str, text: str) -> bool:
    """Whether a word or phrase stands in a text by itself, whatever its case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def compare(count: int, relation: str, wanted: int) -> bool:
    """``less than``, ``at least`` or ``at most``."""
    if relation == "at most":
        return count <= wanted
    return count < wanted if relation == "less than" else count >= wanted


@cache
def _load_punkt() -> Any:
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer  # imported when first asked for

    parameters = PunktParameters()
    parameters.abbrev_types.update(_ABBREVIATIONS)
    parameters.sent_starters.update(read_list("sentence_starters"))
    return PunktSentenceTokenizer(parameters)


@cache
def _load_treebank() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
