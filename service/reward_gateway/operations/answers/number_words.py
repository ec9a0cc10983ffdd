"""English number words: twenty-one, two hundred and five."""

import re
from fractions import Fraction

_WORD = re.compile(r"[^\W\d_]+")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"hundred": 100, "dozen": 12, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_WORD_VALUES = {
    **{word: value for value, word in enumerate(_SMALL)},
    **{word: 10 * (place + 2) for place, word in enumerate(_TENS)},
}


def read_words(text: str) -> Fraction | None:
    """The value of a text that is nothing but an English number word."""
    words = [word for word in _WORD.findall(text.lower()) if word != "and"]
    return None if len(words) > 20 or not words else _value_of_words(words)


def _value_of_words(words: list[str]) -> Fraction | None:
    total = current = 0
    for word in words:
        if word in _WORD_VALUES:
            current += _WORD_VALUES[word]
        elif word in ("hundred", "dozen"):
            current = max(current, 1) * SCALES[word]
        elif word in SCALES:
            total += max(current, 1) * SCALES[word]
            current = 0
        else:
            return None
    return Fraction(total + current)


def last_words(text: str) -> Fraction | None:
    """The last number word in a text; "one" counts at the end alone, since it is a pronoun too."""
    run: list[str] = []
    words = _WORD.findall(text.lower())
    for place in range(len(words) - 1, -1, -1):
        word = words[place]
        if word in _WORD_VALUES or word in SCALES or (word == "and" and run):
            run.insert(0, word)
        elif run:
            break
    while run and run[0] == "and":
        run.pop(0)
    if run == ["one"] and words[-1] != "one":
        return None
    return _value_of_words([word for word in run if word != "and"]) if run else None


_WORDS = "|".join((*_WORD_VALUES, *SCALES))
_RUN = re.compile(rf"\b(?:{_WORDS})(?:[\s-]{{1,3}}(?:and\s)?(?:{_WORDS}))*\b", re.IGNORECASE)


def words_as_digits(text: str) -> str:
    """A text with its English number words in digits: "twenty-one miles" is "21 miles"."""
    return _RUN.sub(lambda run: str(read_words(run.group()) or 0), text)
