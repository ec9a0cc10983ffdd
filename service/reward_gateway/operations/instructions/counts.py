"""IFBench: ``count``."""

import re

from .registry import Count, Place, Wanted, instruction
from .text import EDGES, NO_PUNCTUATION, Text, tokenise
from .word_lists import read_list

_CONJUNCTIONS = frozenset(["and", "but", "for", "nor", "or", "so", "yet"])

_NAMES = read_list("names")

_PRONOUNS = frozenset(read_list("pronouns"))

_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@instruction("count:word_count_range")
def word_count_range(response: Text, *, min_words: Count, max_words: Count) -> bool:
    """The response must contain between {min_words} and {max_words} words."""
    return min_words <= len(response.words) <= max_words


@instruction("count:unique_word_count")
def unique_word_count(response: Text, *, N: Count) -> bool:
    """Use at least {N} unique words in the response. Case and signs around a word do not count."""
    return len({word.strip(EDGES) for word in response.lower.split()} - {""}) >= N


@instruction("count:conjunctions")
def conjunctions(response: Text, *, small_n: Count) -> bool:
    """Use at least {small_n} different coordinating conjunctions: and, but, for, nor, or, so, yet."""
    return len({word.strip(EDGES) for word in response.lower.split()} & _CONJUNCTIONS) >= small_n


@instruction("count:person_names")
def person_names(response: Text, *, N: Count) -> bool:
    """Mention at least {N} different person names in the response, from the published list of fifty."""
    words = set(re.findall(r"\w+", response.raw))
    return len(words.intersection(_NAMES)) >= N


@instruction("count:numbers")
def numbers(response: Text, *, N: Count) -> bool:
    """Include exactly {N} numbers in the response: runs of digits, once punctuation is taken out (1,000 is one)."""
    return len(re.findall(r"\d+", response.raw.translate(NO_PUNCTUATION))) == N


@instruction("count:punctuation")
def punctuation(response: Text) -> bool:
    """Use every standard punctuation mark at least once, including semicolons, colons, and the interrobang (?!)."""
    text = response.raw
    for interrobang in ("?!", "!?", "‽"):
        if interrobang in text:
            rest = text if interrobang == "‽" else text.replace(interrobang, "", 1)
            return all(mark in rest for mark in ".,!?;:")
    return False


@instruction("count:pronouns")
def pronouns(response: Text, *, N: Count) -> bool:
    """The response should include at least {N} pronouns; she/her are two."""
    return sum(token in _PRONOUNS for token in tokenise(response.lower.replace("/", " "))) >= N


@instruction("count:words_japanese")
def words_japanese(response: Text, *, N: Place) -> bool:
    """Every {N}th word of your response must be in Japanese; white space parts words, and a number may stand there."""
    words = [word.strip(EDGES) for word in response.raw.split()][N - 1 :: N]
    return all(_JAPANESE.search(word) is not None for word in words if word and not word.isdigit())


@instruction("count:keywords_multiple")
def keywords_multiple(
    response: Text, *, keyword1: Wanted, keyword2: Wanted, keyword3: Wanted, keyword4: Wanted, keyword5: Wanted
) -> bool:
    """Include {keyword1} once, {keyword2} twice, {keyword3} three, {keyword4} five and {keyword5} seven times."""
    keywords = zip((keyword1, keyword2, keyword3, keyword4, keyword5), (1, 2, 3, 5, 7), strict=True)
    return all(response.lower.count(keyword.strip().lower()) == times for keyword, times in keywords)
