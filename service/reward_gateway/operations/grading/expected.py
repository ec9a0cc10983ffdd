"""Expected grades: what a judge would say on average, by the probabilities of the grades at the token of its own."""

import math
import re
from collections.abc import Callable, Sequence

from ..effects import JudgeAnswer, JudgeToken
from ..outcome import ItemError
from .grade import Scale

LEAST_MASS = 0.5
"""The grades are at least so probable together; else the judge was about to say something else."""

HIGHEST = 9
"""Best grade of a scale whose grades are single digits, and so single tokens."""

MOST_DIGITS = 64
"""Most digits of an answer, from its end, among which a grade is looked for."""

_ROUNDING = 1e-3
_SPACE = "▁Ġ"
"""Before a token, in the alphabets of some tokenizers: a space."""

_DIGIT = re.compile(r"(?<![0-9])(?<![0-9][.])[0-9](?![0-9])", re.ASCII)
_AFTER_WORDS = re.compile(r"\s*(?:<[^<>\s]{1,40}>\s*|\[[^\[\]\s]{1,40}\]\s*)?")

ReadGrades = Callable[[str], Sequence[float]]
"""The grades in a judge's words. Raises ItemError."""


def fits_expected(low: float, high: float) -> bool:
    """Whether all grades of a scale are single digits."""
    return 0 <= low < high <= HIGHEST


def expect_grades(answer: JudgeAnswer, read: ReadGrades, scale: Scale) -> list[float]:
    """The expected grades Σ g · p(g) / Σ p(g), one for each grade that is read from an answer.

    p(g) is the probability of all tokens that are the digit g but for spaces, at the place of the grade that was read.

    Args:
        scale: whole numbers within 0 to 9.

    Raises:
        ItemError: a grade cannot be read, or its token not found; or Σ p(g) is below .5.
    """
    grades = [int(scale.check(grade)) for grade in read(answer.text)]
    places = _find_places(answer.text, grades, read, scale)
    return [_weigh(_find_token(answer, place, str(grade)), scale) for place, grade in zip(places, grades, strict=True)]


def _find_places(text: str, grades: list[int], read: ReadGrades, scale: Scale) -> list[int]:
    """Where the digit of each grade stands: written otherwise, that grade alone is read otherwise.

    So the places are those of the very reader that read the grades, whatever the forms that it knows.
    """
    places: dict[int, int] = {}
    digits = [match.start() for match in _DIGIT.finditer(text) if int(match[0]) in grades]
    for place in reversed(digits[-MOST_DIGITS:]):
        other = int(scale.low) if int(text[place]) != scale.low else int(scale.low) + 1
        try:
            found = list(read(f"{text[:place]}{other}{text[place + 1 :]}"))
        except ItemError:
            continue
        changed = [k for k, grade in enumerate(found) if grade != grades[k]]
        if len(changed) == 1 and found[changed[0]] == other:
            places.setdefault(changed[0], place)
        if len(places) == len(grades):
            return [places[k] for k in range(len(grades))]
    raise ItemError("the judge's grade does not stand in one place of its answer, as one digit")


def _find_token(answer: JudgeAnswer, place: int, digit: str) -> JudgeToken:
    """The token at a place of the words, which holds that digit alone."""
    rest = answer.text[place:].rstrip()
    spoken = "".join(token.text for token in answer.tokens)
    start = spoken.rfind(rest)
    if start < 0 or not _AFTER_WORDS.fullmatch(spoken, start + len(rest)):
        raise ItemError("the judge's tokens are not those of its answer")
    for token in answer.tokens:
        if start < len(token.text):
            if _strip(token.text) != digit:
                raise ItemError("the judge's grade is no token of its own")
            return token
        start -= len(token.text)
    raise AssertionError("the place stands within the tokens")


def _weigh(token: JudgeToken, scale: Scale) -> float:
    grades = {str(grade): grade for grade in range(math.ceil(scale.low), math.floor(scale.high) + 1)}
    shares: dict[int, float] = {}
    for text, logprob in token.alternatives:
        grade = grades.get(_strip(text))
        if grade is not None:
            shares[grade] = shares.get(grade, 0.0) + _probability(logprob)
    mass = math.fsum(shares.values())
    if mass > 1 + _ROUNDING:
        raise ItemError("the judge's probabilities sum up to more than 1")
    if mass < LEAST_MASS:
        raise ItemError(f"the judge's grades have a probability of {mass:.2g} together, below {LEAST_MASS:g}")
    return math.fsum(grade * share for grade, share in shares.items()) / mass


def _strip(text: str) -> str:
    return text.strip().lstrip(_SPACE)


def _probability(logprob: float) -> float:
    if math.isnan(logprob) or logprob > _ROUNDING:
        raise ItemError("the judge's log-probabilities are none")
    return math.exp(logprob)
