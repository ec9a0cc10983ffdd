"""Verdicts that need no computer algebra: equal texts, exact numbers, other structures; else what to compare."""

import re
from functools import lru_cache

from ..answers.numbers import read_number
from ..answers.remembered import LONGEST
from ..answers.rewriting import rewriting
from .angles import in_one_unit
from .decimals import decide_numbers
from .decision import Decision, Question, Tolerance
from .identity import are_identical
from .intervals import SYMBOLS, as_sets
from .listed import RELATION, SEPARATOR, count_answers, spread_signs, values_of
from .notation import to_latex
from .sequences import DOTS, compare_patterns
from .special_forms import compare_bases, compare_congruences, compare_ratios, compare_times
from .wording import TEXT_COMMAND, decide_letter, decide_words

# A text without the spaces that stand beside a sign: one of to_latex, which leaves no other white space.
_close_up = rewriting(r" +(?![A-Za-z0-9-])|(?<![A-Za-z0-9]) +", "", " ")
_NEGATED = re.compile(
    r"\\text\s?\{\s*not\b|\\ne(?![a-z])|\\neg(?![a-z])|"
    r"(?<![A-Za-z\\])(?:not|isn't|neither|nor|except|between|maybe|perhaps|either|"
    r"or\s(?:more|less|fewer|greater|higher|lower|so)|at\s(?:least|most)|(?:more|less|fewer|greater)\sthan)(?![A-Za-z])"
    r"|\\to(?![a-z])|\\(?:right|left)arrow(?![a-z])|\\text\s?\{[^{}]*\bor\s(?:more|less|fewer|greater)\b",
    re.IGNORECASE,
)
_SYMBOL = re.compile(r"[A-Za-z]|\\[A-Za-z]+")
_ORDINAL = re.compile(r"\s*\d+\s?(?:\\text\s?\{\s?)?(?:\^\s?\{)?\s?(?:st|nd|rd|th)\b.*", re.DOTALL)
_leave_unfinished_brace_out = rewriting(r"\A\\\{(?!.*\\\})", "", "\\{")


def decide(reference: str, response: str, tolerance: Tolerance) -> Decision | Question:
    """Decide whether a response's expression equals a reference's, or say what is to be compared.

    Args:
        reference: LaTeX, or any other notation.
        response: likewise.
    """
    is_short = len(reference) <= LONGEST and len(response) <= LONGEST
    return (_decide_kept if is_short else _decide)(reference, response, tolerance)


def _decide(reference: str, response: str, tolerance: Tolerance) -> Decision | Question:
    wanted, given = to_latex(reference), to_latex(response)
    if wanted == given or _close_up(wanted) == _close_up(given):
        return Decision(True, "exact")
    if (letters := decide_letter(wanted, response)) is not None:
        return letters
    number, other = read_number(wanted), read_number(given)
    if number is not None and other is not None:
        if number.exact and other.exact:
            return decide_numbers(number, other, wanted, given, tolerance)
    elif number is not None and _ORDINAL.fullmatch(given):
        return Decision(False, "text")
    elif (words := decide_words(wanted, given, number)) is not None:
        return words
    if _NEGATED.search(given) and not _NEGATED.search(wanted):
        return Decision(False, "text", several=True)
    if _SYMBOL.fullmatch(wanted.strip()) and _SYMBOL.fullmatch(given.strip()):
        return Decision(False, "text")
    return _decide_structure(wanted, given, tolerance)


_decide_kept = lru_cache(maxsize=4_096)(_decide)


def _decide_structure(wanted: str, given: str, tolerance: Tolerance) -> Decision | Question:
    wanted, given = _leave_unfinished_brace_out(wanted), _leave_unfinished_brace_out(given)
    for compare in (compare_congruences, compare_bases, compare_times, compare_ratios):
        if (verdict := compare(wanted, given)) is not None:
            return verdict
    if DOTS in wanted or DOTS in given:
        return compare_patterns(wanted, given)
    wanted, given = as_sets(wanted, given)
    wanted, given = (SEPARATOR.sub(", ", text) if not RELATION.search(text) else text for text in (wanted, given))
    wanted, given = spread_signs(wanted), spread_signs(given)
    if "=" not in wanted and "=" in given:
        values = values_of(given, wanted)
        if values is None:
            return Decision(False, "symbolic")
        return _decide_again(wanted, values, tolerance)
    if "=" in wanted and "=" not in given:
        values = values_of(wanted, given)
        if values is not None:
            return _decide_again(values, given, tolerance)
    return _ask(wanted, given)


def _ask(wanted: str, given: str) -> Decision | Question:
    """The question of whether two expressions are equal; a refusal where they have other numbers of values or letters
    that differ in case."""
    count, offered = count_answers(wanted), count_answers(given)
    if count is not None and offered is not None and count != offered:
        return Decision(False, "symbolic", several=offered > count)
    if _differ_in_case(wanted, given) or _are_set_and_pair(wanted, given):
        return Decision(False, "symbolic")
    wanted, given = in_one_unit(wanted, given)
    identical = are_identical(wanted, given)
    return Question(wanted, given) if identical is None else Decision(identical, "symbolic")


def _are_set_and_pair(wanted: str, given: str) -> bool:
    """Whether one side is a set of values, and the other a tuple or an interval of values."""
    return any(_SET.fullmatch(one) and _TUPLE.fullmatch(other) for one, other in ((wanted, given), (given, wanted)))


_SET = re.compile(r"\s*\\\{[^()\[\]]*\\\}\s*")
_TUPLE = re.compile(r"\s*[(\[][^()\[\]]*,[^()\[\]]*[)\]]\s*")


def _differ_in_case(wanted: str, given: str) -> bool:
    """Whether a symbol of one side stands on the other in its other case alone: the parser takes X and x for one."""
    one, other = (set(SYMBOLS.findall(TEXT_COMMAND.sub(" ", text))) for text in (wanted, given))
    return any(symbol.swapcase() in one - other for symbol in other - one if len(symbol) == 1) or any(
        (symbol[:2].swapcase() + symbol[2:]) in one - other for symbol in other - one if len(symbol) > 2
    )


def _decide_again(wanted: str, given: str, tolerance: Tolerance) -> Decision | Question:
    """The verdict over values, once the names before them are gone."""
    if wanted == given:
        return Decision(True, "exact")
    number, other = read_number(wanted), read_number(given)
    if number is not None and other is not None and number.exact and other.exact:
        return decide_numbers(number, other, wanted, given, tolerance)
    return _ask(wanted, given)
