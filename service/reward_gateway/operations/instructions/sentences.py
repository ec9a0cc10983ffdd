"""IFBench: ``sentence``."""

from itertools import pairwise

from .registry import Count, Place, Wanted, instruction
from .text import EDGES, NO_PUNCTUATION, Text, find_word


@instruction("sentence:alliteration_increment")
def alliteration_increment(response: Text) -> bool:
    """Each sentence must have a longer sequence of consecutive alliterative words than the previous one.

    What is counted of a sentence are its words that stand next to one with the same first letter, pair by pair.
    """
    counts = [_count_alliterative(sentence) for sentence in response.sentences]
    return all(one < other for one, other in pairwise(counts))


def _count_alliterative(sentence: str) -> int:
    words = [word.lstrip(EDGES) for word in sentence.lower().split()]
    letters = [word[0] for word in words if word]
    alike = [one == other for one, other in pairwise(letters)]
    runs = sum(now and not before for before, now in zip([False, *alike], alike, strict=False))
    return sum(alike) + runs


@instruction("sentence:keyword")
def keyword(response: Text, *, word: Wanted, N: Place) -> bool:
    """The response must include keyword {word} in the {N}-th sentence, as a whole word in any case."""
    return len(response.sentences) >= N and find_word(word.strip(), response.sentences[N - 1])


@instruction("sentence:increment")
def increment(response: Text, *, small_n: Count) -> bool:
    """Each sentence must contain exactly {small_n} more words than the previous one."""
    counts = [len(sentence.translate(NO_PUNCTUATION).split()) for sentence in response.sentences]
    return all(other == one + small_n for one, other in pairwise(counts))
