"""IFBench: ``ratio``."""

import re

from .registry import Percentage, Wanted, instruction
from .text import EDGES, Text
from .word_lists import read_list

_STOP_WORDS = frozenset(read_list("stop_words"))
r"""NLTK's stop words of English that ``\w+`` can find."""


@instruction("ratio:stop_words")
def stop_words(response: Text, *, percentage: Percentage) -> bool:
    """Ensure that stop words constitute no more than {percentage}% of the total words in your response."""
    words = re.findall(r"\w+", response.lower)
    return bool(words) and 100 * sum(word in _STOP_WORDS for word in words) <= percentage * len(words)


@instruction("ratio:sentence_type")
def sentence_type(response: Text) -> bool:
    """Maintain a 2:1 ratio of declarative to interrogative sentences. There is at least one question."""
    ends = [sentence[-1:] for sentence in response.sentences]
    return ends.count(".") == 2 * ends.count("?") > 0


@instruction("ratio:sentence_balance")
def sentence_balance(response: Text) -> bool:
    """Ensure that the ratio of sentence types (declarative, interrogative, exclamatory) is balanced, none missing."""
    ends = [sentence[-1:] for sentence in response.sentences]
    return ends.count(".") == ends.count("?") == ends.count("!") > 0


@instruction("ratio:overlap")
def overlap(response: Text, *, reference_text: Wanted, percentage: Percentage) -> bool:
    """Maintain a trigram overlap of {percentage}% (±2%) with the provided reference text.

    Trigrams are of characters; the share is that of the response's different trigrams.
    """
    own, other = _find_trigrams(response.raw), _find_trigrams(reference_text)
    return bool(own) and abs(100 * len(own & other) / len(own) - percentage) <= 2


def _find_trigrams(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(len(text) - 2)}


@instruction("ratio:sentence_words")
def sentence_words(response: Text) -> bool:
    """Respond with three sentences, all containing the same number of characters but using all different words."""
    if len(response.sentences) != 3 or len({len(sentence.strip()) for sentence in response.sentences}) > 1:
        return False
    used = [{word.strip(EDGES).lower() for word in sentence.split()} - {""} for sentence in response.sentences]
    return len(set().union(*used)) == sum(map(len, used))
