"""IFBench: ``words``."""

import re
import string
from collections import Counter
from itertools import pairwise

from .registry import Count, Place, Wanted, instruction
from .syllables import count_syllables
from .text import EDGES, Text, tokenise
from .verbs import is_verb

_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
_PRIMES = frozenset(n for n in range(2, 100) if all(n % k for k in range(2, n)))


@instruction("words:alphabet")
def alphabet(response: Text) -> bool:
    """Each word must start with the next letter of the alphabet, looping back to 'A' after 'Z'."""
    letters = [word[0].lower() for word in response.bare_words]
    first = string.ascii_lowercase.find(letters[0]) if letters else -1
    return first >= 0 and all(letter == string.ascii_lowercase[(first + i) % 26] for i, letter in enumerate(letters))


@instruction("words:vowel")
def vowel(response: Text) -> bool:
    """Write a paragraph using words that contain only three types of vowels: one line, with at most three of aeiou."""
    text = response.lower.strip()
    return "\n" not in text and len(set(text) & set("aeiou")) <= 3


@instruction("words:consonants")
def consonants(response: Text) -> bool:
    """Ensure each word in your response has at least one consonant cluster (two or more consonants together)."""
    return all(_CLUSTER.search(word) for word in response.lower.split())


@instruction("words:palindrome")
def palindrome(response: Text) -> bool:
    """Include at least 10 single-word palindromes, each at least 5 characters long."""
    words = [word.lower() for word in response.bare_words]
    return sum(len(word) >= 5 and word == word[::-1] for word in words) >= 10


@instruction("words:prime_lengths")
def prime_lengths(response: Text) -> bool:
    """Use only words with lengths that are prime numbers."""
    return all(len(word) in _PRIMES for word in response.bare_words)


@instruction("words:start_verb")
def start_verb(response: Text) -> bool:
    """The response must start with a verb: the first word is a form of a common English verb (published: a tagger)."""
    first = next((word for word in re.findall(r"[^\W\d_]+", response.raw[:200])), "")
    return response.raw.lstrip(" \n*_#\"'“").startswith(first) and is_verb(first)


@instruction("words:repeats")
def repeats(response: Text, *, small_n: Count) -> bool:
    """The response should not repeat any word more than {small_n} times. Case does not count."""
    return all(times <= small_n for times in Counter(word.lower() for word in response.bare_words).values())


@instruction("words:odd_even_syllables")
def odd_even_syllables(response: Text) -> bool:
    """Alternate between words with odd and even numbers of syllables (of English)."""
    parities = [count_syllables(word.lower()) % 2 for word in response.bare_words]
    return all(one != other for one, other in pairwise(parities))


@instruction("words:last_first")
def last_first(response: Text) -> bool:
    """The last word of each sentence must become the first word of the next sentence."""
    sentences = [sentence.lower().strip(EDGES + "\n\t").split() for sentence in response.sentences]
    if len(sentences) > 1 and not all(sentences):
        return False
    return all(one[-1] == other[0] for one, other in pairwise(sentences))


@instruction("words:paragraph_last_first")
def paragraph_last_first(response: Text) -> bool:
    """Each paragraph must end with the same word it started with, separate paragraphs with a newline."""
    paragraphs = [line.strip().strip(EDGES).split() for line in response.lower.split("\n")]
    return all(words[0] == words[-1] for words in paragraphs if words)


@instruction("words:no_consecutive")
def no_consecutive(response: Text) -> bool:
    """No two consecutive words can share the same first letter."""
    letters = [word[0].lower() for word in response.bare_words]
    return all(one != other for one, other in pairwise(letters))


@instruction("words:keywords_specific_position")
def keywords_specific_position(response: Text, *, keyword: Wanted, n: Place, m: Place) -> bool:
    """Include keyword {keyword} in the {n}-th sentence, as the {m}-th word of that sentence."""
    words = _find_words(response.sentences[n - 1]) if len(response.sentences) >= n else []
    return len(words) >= m and words[m - 1] == keyword.strip().lower()


@instruction("words:words_position")
def words_position(response: Text, *, keyword: Wanted) -> bool:
    """The second word in your response and the second to last word in your response should be the word {keyword}."""
    words = [word for sentence in response.sentences for word in _find_words(sentence)]
    return len(words) > 1 and words[1] == words[-2] == keyword.strip().lower()


def _find_words(sentence: str) -> list[str]:
    return [token for token in tokenise(sentence.lower()) if any(map(str.isalnum, token))]
