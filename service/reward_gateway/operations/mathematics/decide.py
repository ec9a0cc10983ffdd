"""Verdicts that need no computer algebra: equal texts, exact numbers, other structures; else what to compare."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import Literal

from ..answers.choices import find_letters
from ..answers.numbers import Number, read_number
from .identity import are_identical
from .notation import plain_words, to_latex

By = Literal["exact", "rational", "symbolic", "numeric", "text"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How near is equal.

    Attributes:
        rel_tol: of decimals, as a share of the reference.
        min_digits: significant digits that a decimal for an exact value has to show, all of them right.
        strict: a decimal is never an exact value.
    """

    rel_tol: float = 1e-6
    min_digits: int = 4
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and how it was reached; ``several``: the response offers several answers where one is right."""

    equal: bool
    by: By
    several: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What a computer algebra system has to compare: two expressions in LaTeX."""

    reference: str
    response: str


def _close_up(text: str) -> str:
    """A text without the spaces that stand beside a sign."""
    return _IDLE_SPACE.sub("", text)


_IDLE_SPACE = re.compile(r"\s+(?![A-Za-z0-9-])|(?<![A-Za-z0-9])\s+")
_OR = re.compile(
    r"\s*,?\s*(?:\\text\s?\{\s*,?\s*(?:or|and)\s*\}|(?<![A-Za-z\\])(?:or|and)(?![A-Za-z])|\\lor|\\vee|\\land|\\wedge|或|和|;)"
    r"\s*"
)
_NEGATED = re.compile(
    r"\\text\s?\{\s*not\b|\\ne(?![a-z])|\\neg(?![a-z])|"
    r"(?<![A-Za-z\\])(?:not|isn't|neither|nor|except|between|maybe|perhaps|either|"
    r"or\s(?:more|less|fewer|greater|higher|lower|so)|at\s(?:least|most)|(?:more|less|fewer|greater)\sthan)(?![A-Za-z])"
    r"|\\to(?![a-z])|\\(?:right|left)arrow(?![a-z])|\\text\s?\{[^{}]*\bor\s(?:more|less|fewer|greater)\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\s*(?:(?:m\s?)?(?:\\(?:angle|measuredangle|triangle|overline|overrightarrow|vec|arc)\s?|\|)?(?:\{?[A-Za-z]{1,3}\}?|"
    r"\\[A-Za-z]+)\|?|\\text\s?\{[^{}]*\}|[A-Za-z][A-Za-z ]{2,40})(?:\s?_\s?(?:\{[^{}]*\}|\w))?'?"
    r"(?:\s?\(\s?[A-Za-z](?:\s?,\s?[A-Za-z])*\s?\))?\s*"
)
_SYMBOL = re.compile(r"[A-Za-z]|\\[A-Za-z]+")
_DOTS = "\\ldots"
_CONGRUENCE = re.compile(
    r"(?:(.*?)\\equiv\s*)?(.*?)\\?\(?\s*(?:\\[bp]?mod|\\text\s?\{\s*mod\s*\})\s*(?:\{([^{}]*)\}|(\d+))\s*\)?\s*",
    re.DOTALL,
)
_ONE_LETTER = re.compile(r"\(?\s*([A-J])\s*\)?")
_LETTER_MARKS = re.compile(r"[(.)]|\\text")
_ORDINAL = re.compile(r"\s*\d+\s?(?:\\text\s?\{\s?)?(?:\^\s?\{)?\s?(?:st|nd|rd|th)\b.*", re.DOTALL)
_PRODUCT = re.compile(r"[a-z]{2,3}")
_RELATION = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|<|>")
_UNFINISHED_BRACE = re.compile(r"\A\\\{(?!.*\\\})")


def decide(reference: str, response: str, tolerance: Tolerance) -> Decision | Question:
    """Decide whether a response's expression equals a reference's, or say what is to be compared.

    Args:
        reference: LaTeX, or any other notation.
        response: likewise.
    """
    wanted, given = to_latex(reference), to_latex(response)
    if wanted == given or _close_up(wanted) == _close_up(given):
        return Decision(True, "exact")
    if (letters := _decide_letter(wanted, response)) is not None:
        return letters
    number, other = read_number(wanted), read_number(given)
    if number is not None and other is not None:
        if number.exact and other.exact:
            return _decide_numbers(number, other, wanted, given, tolerance)
    elif number is not None and _ORDINAL.fullmatch(given):
        return Decision(False, "text")
    elif (words := _decide_words(wanted, given, number)) is not None:
        return words
    if _NEGATED.search(given) and not _NEGATED.search(wanted):
        return Decision(False, "text", several=True)
    if _SYMBOL.fullmatch(wanted.strip()) and _SYMBOL.fullmatch(given.strip()):
        return Decision(False, "text")
    return _decide_structure(wanted, given, tolerance)


def _decide_letter(wanted: str, response: str) -> Decision | None:
    """An option of a multiple choice as reference: (C) is C, and \\textbf{(C)} 5 is too."""
    found = _ONE_LETTER.fullmatch(_TEXT_COMMANDS.sub(r"\1", wanted))
    if found is None:
        return None
    letters = find_letters(response, "ABCDEFGHIJ")
    if letters == frozenset(found.group(1)) and _LETTER_MARKS.search(response + wanted):
        return Decision(True, "text")
    return None


def _decide_numbers(wanted: Number, given: Number, wanted_text: str, given_text: str, tolerance: Tolerance) -> Decision:
    for one in wanted.readings():
        for other in given.readings():
            if one == other:
                return Decision(True, "exact" if isinstance(one, Fraction) and one.denominator == 1 else "rational")
    if (_shown_digits(wanted_text), _shown_digits(given_text)) == (None, None):
        return Decision(False, "exact")
    for one in wanted.readings():
        for other in given.readings():
            if _are_near(Fraction(one), Fraction(other), wanted_text, given_text, tolerance):
                return Decision(True, "numeric")
    return Decision(False, "numeric")


def _shown_digits(text: str) -> int | None:
    """Significant digits of a decimal; None if a text has no decimal point."""
    found = re.search(r"\d*\.\d+", text)
    return None if found is None else len(found.group().replace(".", "").lstrip("0"))


def _are_near(wanted: Fraction, given: Fraction, wanted_text: str, given_text: str, tolerance: Tolerance) -> bool:
    """Two decimals within the relative tolerance; a decimal and an exact value to the digits that the decimal shows."""
    decimals = (_shown_digits(wanted_text), _shown_digits(given_text))
    difference = abs(wanted - given)
    if None not in decimals:
        return difference <= Fraction(tolerance.rel_tol) * abs(wanted)
    digits = decimals[0] if decimals[0] is not None else decimals[1]
    exact = given if decimals[0] is not None else wanted
    if tolerance.strict or digits is None or digits < tolerance.min_digits or exact.denominator == 1:
        return False
    places = _count_places(wanted_text if decimals[0] is not None else given_text)
    shown = given if exact is wanted else wanted
    return _shows(shown, exact, places)


def _count_places(text: str) -> int:
    """Digits behind the point of a decimal."""
    found = re.search(r"\.(\d+)", text)
    return 0 if found is None else len(found.group(1))


def _shows(decimal: Fraction, exact: Fraction, places: int) -> bool:
    """Whether a decimal is an exact value to the digits that it shows, rounded or cut off."""
    difference = abs(decimal - exact)
    unit = Fraction(1, 10**places)
    return difference <= unit / 2 or (abs(decimal) <= abs(exact) and difference < unit)


def _decide_words(wanted: str, given: str, number: Number | None) -> Decision | None:
    words = plain_words(wanted) if number is None else None
    if words is None and _list_words(wanted) is None:
        return None
    said = plain_words(given)
    if (one := _list_words(wanted)) is not None and (other := _list_words(given)) is not None:
        return Decision(one == other, "text", several=len(other) > len(one))
    if _PRODUCT.fullmatch(wanted) and _PRODUCT.fullmatch(given):
        return Decision(sorted(wanted) == sorted(given), "symbolic")
    if said == words:
        return Decision(not _is_product_in_other_case(wanted, given), "text")
    return Decision(False, "text") if said is not None else None


def _is_product_in_other_case(wanted: str, given: str) -> bool:
    """Whether two letters are no word but a product, and differ in case: Ab is not aB."""
    pair = wanted.strip(), given.strip()
    letters = all(len(text) == 2 and text.isascii() and text.isalpha() for text in pair)
    return letters and pair[0] != pair[1] and pair[0].lower() not in ("no", "ok", "up", "am", "pm")


def _list_words(text: str) -> list[str] | None:
    """The words or letters of a list, sorted; None for anything else."""
    bare = _TEXT_COMMAND.sub(r"\1", text)
    parts = [part.strip() for part in _OR.sub(", ", bare).split(",")]
    if len(parts) < 2 or not all(_WORDS.fullmatch(part) for part in parts):
        return None
    return sorted(part.casefold() if len(part) > 1 else part for part in parts)


_TEXT_COMMANDS = re.compile(r"\\(?:text\w{0,2}|mathrm|mathbf|mbox|bf|rm)\s?\{([^{}]*)\}")
_TEXT_COMMAND = re.compile(r"\\text\s?\{([^{}]*)\}")
_WORDS = re.compile(r"[^\W\d_]+(?:\s[^\W\d_]+){0,3}")


def _decide_structure(wanted: str, given: str, tolerance: Tolerance) -> Decision | Question:
    wanted, given = (_UNFINISHED_BRACE.sub("", text) for text in (wanted, given))
    for compare in (_compare_congruences, _compare_bases, _compare_times, _compare_ratios):
        if (verdict := compare(wanted, given)) is not None:
            return verdict
    if _DOTS in wanted or _DOTS in given:
        return _compare_patterns(wanted, given)
    wanted, given = _as_sets(wanted, given)
    wanted, given = (_OR.sub(", ", text) if not _RELATION.search(text) else text for text in (wanted, given))
    wanted, given = _spread_signs(wanted), _spread_signs(given)
    if "=" not in wanted and "=" in given:
        values = _values_of(given, wanted)
        if values is None:
            return Decision(False, "symbolic")
        return _decide_again(wanted, values, tolerance)
    if "=" in wanted and "=" not in given:
        values = _values_of(wanted, given)
        if values is not None:
            return _decide_again(values, given, tolerance)
    return _ask(wanted, given)


def _ask(wanted: str, given: str) -> Decision | Question:
    """The question of whether two expressions are equal; a refusal where they have other numbers of values or letters
    that differ in case."""
    count, offered = _count_answers(wanted), _count_answers(given)
    if count is not None and offered is not None and count != offered:
        return Decision(False, "symbolic", several=offered > count)
    if _differ_in_case(wanted, given) or _are_set_and_pair(wanted, given):
        return Decision(False, "symbolic")
    wanted, given = _in_one_unit(wanted, given)
    identical = are_identical(wanted, given)
    return Question(wanted, given) if identical is None else Decision(identical, "symbolic")


def _are_set_and_pair(wanted: str, given: str) -> bool:
    """Whether one side is a set of values, and the other a tuple or an interval of values."""
    return any(_SET.fullmatch(one) and _TUPLE.fullmatch(other) for one, other in ((wanted, given), (given, wanted)))


_SET = re.compile(r"\s*\\\{[^()\[\]]*\\\}\s*")
_TUPLE = re.compile(r"\s*[(\[][^()\[\]]*,[^()\[\]]*[)\]]\s*")


def _differ_in_case(wanted: str, given: str) -> bool:
    """Whether a symbol of one side stands on the other in its other case alone: the parser takes X and x for one."""
    one, other = (set(_SYMBOL_TOKEN.findall(_TEXT_COMMAND.sub(" ", text))) for text in (wanted, given))
    return any(symbol.swapcase() in one - other for symbol in other - one if len(symbol) == 1) or any(
        (symbol[:2].swapcase() + symbol[2:]) in one - other for symbol in other - one if len(symbol) > 2
    )


_SYMBOL_TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-z]")


def _spread_signs(text: str) -> str:
    r"""Every value of a list with a ± as two: ``1 \pm \sqrt{2}`` is ``1 + \sqrt{2}, 1 - \sqrt{2}``."""
    if len(_PLUS_MINUS.findall(text)) == 0:
        return text
    values: list[str] = []
    for part in split_top(text):
        if len(_PLUS.findall(part)) == 1:
            values.append(_MINUS.sub("-", _PLUS.sub("+", part)).removeprefix("+").strip())
            values.append(_MINUS.sub("+", _PLUS.sub("-", part)))
        else:
            values.append(part)
    return ", ".join(values)


_PLUS, _MINUS = re.compile(r"\\pm(?![a-z])"), re.compile(r"\\mp(?![a-z])")


def _decide_again(wanted: str, given: str, tolerance: Tolerance) -> Decision | Question:
    """The verdict over values, once the names before them are gone."""
    if wanted == given:
        return Decision(True, "exact")
    number, other = read_number(wanted), read_number(given)
    if number is not None and other is not None and number.exact and other.exact:
        return _decide_numbers(number, other, wanted, given, tolerance)
    return _ask(wanted, given)


def split_top(text: str, separator: str = ",") -> list[str]:
    """A text parted at the separators that stand in no bracket."""
    parts, depth, start = list[str](), 0, 0
    for place, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        elif character == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:])]


def _values_of(equation: str, other: str) -> str | None:
    """What a named equation says ("x = 5", "a = 1, b = 2", "3 + 2 = 5"); None if it is no name for a value."""
    values: list[str] = []
    inside = _strip_brackets(equation)
    for part in split_top(inside):
        sides = split_top(part, "=")
        if len(sides) == 1:
            values.append(sides[0])
            continue
        if not _names_value(sides):
            return None
        values.append(sides[-1])
    if len(values) == 1:
        return values[0]
    joined = ", ".join(values)
    return f"({joined})" if other.strip().startswith("(") else joined


def _names_value(sides: Sequence[str]) -> bool:
    """Whether the sides of an equation say what its last one is: a name, a computation, or both in a chain."""
    if all(_is_name(side) for side in sides[:-1]):
        return True
    computed, result = read_number(sides[-2]), read_number(sides[-1])
    if computed is not None and result is not None:
        return computed.value == result.value
    return len(sides) > 2 and _is_name(sides[0])


def _is_name(side: str) -> bool:
    """Whether a side is a name, names of a pair "(x, y)", or those of a ratio "a : b"."""
    return _NAMES.fullmatch(side) is not None or all(_NAME.fullmatch(part) for part in side.split(":"))


_NAMES = re.compile(r"\s*\(\s*\\?[A-Za-z]\w*(?:_\w)?(?:\s*,\s*\\?[A-Za-z]\w*(?:_\w)?){1,5}\s*\)\s*")


def _strip_brackets(text: str) -> str:
    found = re.fullmatch(r"\s*\\?[{(](.*?)\\?[})]\s*", text, re.DOTALL)
    if found is None or _PAIRS_APART.search(found.group(1)):
        return text
    if len(split_top(text)) == 1 and "=" in found.group(1) and len(split_top(found.group(1))) > 1:
        return found.group(1)
    return text


_PAIRS_APART = re.compile(r"\A[^(){}]*[)}]")
"""What stands between the first and the last bracket of "(x, y) = (1, 2)", which are no pair."""


def _count_answers(text: str) -> int | None:
    """How many values an answer has; None for a set, in which a value may be named twice, and for relations."""
    text = text.strip()
    if _RELATION.search(text) or "\\cup" in text or "\\in " in text or "\\cap" in text:
        return None
    if text.startswith("\\{"):
        return None
    inner = re.fullmatch(r"[(\[](.*)[)\]]", text, re.DOTALL)
    parts = split_top(text)
    if len(parts) == 1 and inner is not None and len(split_top(inner.group(1))) > 1:
        parts = split_top(inner.group(1))
    if len(parts) == 1 and _ROW_OF_NUMBERS.fullmatch(text):
        return len(text.split())
    return sum(2 if _PLUS_MINUS.search(part) else 1 for part in parts)


_ROW_OF_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:\s+-?\d+(?:\.\d+)?)+")
_PLUS_MINUS = re.compile(r"\\(?:pm|mp)(?![a-z])")


def _compare_congruences(wanted: str, given: str) -> Decision | None:
    if "mod" not in wanted and "mod" not in given:
        return None
    if "mod" not in wanted or "mod" not in given:
        remainder, value = (given, wanted) if "mod" in given else (wanted, given)
        return Decision(_remainder(remainder) == _value(value) is not None, "exact")
    one, other = _CONGRUENCE.fullmatch(wanted), _CONGRUENCE.fullmatch(given)
    if one is None or other is None:
        return None
    modulus, again = (read_number(found.group(3) or found.group(4) or "") for found in (one, other))
    if modulus is None or again is None or modulus.value != again.value or not modulus.value:
        return Decision(False, "exact")
    residues: list[set[Fraction]] = []
    for found in (one, other):
        numbers = [read_number(part) for part in split_top(_OR.sub(", ", found.group(2)))]
        values = [number.value for number in numbers if number is not None and isinstance(number.value, Fraction)]
        if len(values) < len(numbers):
            return None
        residues.append({value % Fraction(modulus.value) for value in values})
    same_name = (one.group(1) or "").strip() == (other.group(1) or "").strip() or not one.group(1) or not other.group(1)
    return Decision(residues[0] == residues[1] and same_name, "exact")


_REMAINDER = re.compile(r"\s*(-?\d{1,99})\s*\\(?:mod|bmod)\s*\{?(\d{1,99})\}?\s*")


def _remainder(text: str) -> Fraction | None:
    r"""The value of ``17 \bmod 5``; None for a congruence or anything else."""
    found = _REMAINDER.fullmatch(text)
    return None if found is None or not int(found.group(2)) else Fraction(int(found.group(1)) % int(found.group(2)))


def _value(text: str) -> Fraction | float | None:
    number = read_number(text)
    return None if number is None else number.value


_BASED = re.compile(r"\(?\s*([0-9A-F]+)\s*\)?\s*_\s?\{?\s*(\d{1,2}|\\text\s?\{\s*\w+\s*\})\s*\}?")


def _compare_bases(wanted: str, given: str) -> Decision | None:
    """Numbers in a base that is named: the same digits in the same one."""
    one, other = _BASED.fullmatch(wanted.strip()), _BASED.fullmatch(given.strip())
    if one is None and other is None:
        return None
    return Decision(one is not None and other is not None and one.groups() == other.groups(), "exact")


_TIME = re.compile(r"0?(\d{1,2}:[0-5]\d(?::[0-5]\d)?)(?:\s?(?:\\text\s?\{)?\s?([ap])\.?\s?m\.?\s?\}?)?", re.IGNORECASE)


def _compare_times(wanted: str, given: str) -> Decision | None:
    """Times of day, which are no ratios: 12:00 is not 1:00."""
    one, other = _TIME.fullmatch(wanted), _TIME.fullmatch(given)
    if one is None or other is None:
        return None
    halves = {one.group(2) or other.group(2), other.group(2) or one.group(2)}
    same_half = len({half.lower() for half in halves if half}) < 2
    return Decision(one.group(1) == other.group(1) and same_half, "exact")


def _compare_ratios(wanted: str, given: str) -> Decision | None:
    """Ratios of three numbers and more: 2:3:4 is 4:6:8, which is no division by division."""
    one, other = (split_top(text, ":") for text in (wanted, given))
    if max(len(one), len(other)) < 3 or any(mark in text for mark in (_DOTS, "=") for text in (wanted, given)):
        return None
    values, others = ([_value(part) for part in side] for side in (one, other))
    if None in values or None in others or len(values) != len(others):
        return Decision(False, "exact") if len(one) != len(other) else None
    pairs = [
        (left, right) for left, right in zip(values, others, strict=True) if left is not None and right is not None
    ]
    (first, again), rest = pairs[0], pairs[1:]
    return Decision(bool(first and again) and all(left * again == right * first for left, right in rest), "exact")


_MOST_TERMS = 10_000
_LARGEST_TERM = 10**30


def _compare_patterns(wanted: str, given: str) -> Decision:
    """Sequences with an ellipsis: the same terms, written out as far as both are known."""
    one, other = _write_out(wanted), _write_out(given)
    return Decision(one is not None and one == other, "exact")


def _write_out(text: str) -> tuple[str, ...] | None:
    """The terms of a sequence; with an ellipsis between numbers, all that it stands for; None without a pattern."""
    inner = re.fullmatch(r"\s*\\?[{(\[]?(.*?)\\?[})\]]?\s*", text, re.DOTALL)
    body = inner.group(1) if inner else text
    terms = [term for term in split_top(body, ":" if ":" in body and "," not in body else ",") if term]
    if _DOTS not in terms:
        return tuple(terms) if _DOTS not in body else (_squeeze(body),)
    place = terms.index(_DOTS)
    head, tail = terms[:place], terms[place + 1 :]
    numbers = [read_number(term) for term in (*head, *tail)]
    values = [number.value for number in numbers if number is not None]
    if len(values) < len(numbers) or len(head) < 2:
        return (*map(_squeeze, head[:2]), _DOTS, *map(_squeeze, tail))
    known = values[: len(head)]
    rule = _rule_of(known)
    if rule is None:
        return (*map(str, known), _DOTS, *map(str, values[len(head) :]))
    if not tail:
        return ("from", *map(str, _first_terms(known[0], rule)))
    last, written = values[len(head)], list[str]()
    for term in islice(_follow(known[0], rule), _MOST_TERMS):
        written.append(str(term))
        if term == last:
            return (*written, *map(str, values[len(head) + 1 :]))
    return (*map(str, known), _DOTS, *map(str, values[len(head) :]))


_Rule = tuple[Fraction | float, Fraction | float, Fraction | float]
"""How a sequence goes on: its first step, by what each step grows, and by what each is multiplied."""


def _rule_of(terms: Sequence[Fraction | float]) -> _Rule | None:
    """The simplest rule that terms follow: equal steps, equal quotients, steps that grow equally; None without one."""
    steps = [later - earlier for earlier, later in pairwise(terms)]
    growths = [later - earlier for earlier, later in pairwise(steps)]
    if not any(growths):
        return (steps[0], Fraction(0), Fraction(1)) if steps[0] else None
    if terms[0] and all(later * terms[0] == earlier * terms[1] for earlier, later in pairwise(terms)):
        return steps[0], Fraction(0), terms[1] / terms[0]
    return (steps[0], growths[0], Fraction(1)) if len(set(growths)) == 1 else None


def _follow(first: Fraction | float, rule: _Rule) -> Iterator[Fraction | float]:
    step, growth, factor = rule
    term = first
    while -_LARGEST_TERM < term < _LARGEST_TERM:
        yield term
        term, step = term + step, (step + growth) * factor


def _first_terms(first: Fraction | float, rule: _Rule) -> list[Fraction | float]:
    return list(islice(_follow(first, rule), 4))


def _squeeze(term: str) -> str:
    return "".join(term.split())


def _as_sets(wanted: str, given: str) -> tuple[str, str]:
    """Inequalities as intervals where the other side is one: 0 < x < 5 is (0, 5)."""
    one, other = _is_interval(wanted), _is_interval(given)
    wanted, given = (re.sub(r"\A\s*[A-Za-z]\s*\\in(?![a-z])", "", text) for text in (wanted, given))
    if (one or other) and _REALS in (wanted, given):
        return _REALS_AS_INTERVAL if wanted == _REALS else wanted, _REALS_AS_INTERVAL if given == _REALS else given
    if not one and not other and _RELATION.search(wanted) and _RELATION.search(given):
        return _both_to_intervals(wanted, given)
    if one and not other and (interval := _to_interval(given)) is not None:
        return wanted, interval
    if other and not one and (interval := _to_interval(wanted)) is not None:
        return interval, given
    return wanted, given


_REALS, _REALS_AS_INTERVAL = "\\mathbb{R}", "(-\\infty,\\infty)"


def _both_to_intervals(wanted: str, given: str) -> tuple[str, str]:
    """Two inequalities over the same symbols as intervals: 4 > x > 1 is 1 < x < 4."""
    one, other = _to_interval(wanted), _to_interval(given)
    symbols = [set(_SYMBOL_TOKEN.findall(text)) - {"\\le", "\\ge"} for text in (wanted, given)]
    return (one, other) if one is not None and other is not None and symbols[0] == symbols[1] else (wanted, given)


def _is_interval(text: str) -> bool:
    return not _RELATION.search(text) and (
        "\\cup" in text or "\\in " in text or re.fullmatch(r"\s*[(\[].*,.*[)\]]\s*", text, re.DOTALL) is not None
    )


_CHAIN = re.compile(r"(.+?)(\\le|<)\s*([A-Za-z]|\\[A-Za-z]+)\s*(\\le|<)(.+)", re.DOTALL)
_CHAIN_DOWN = re.compile(r"(.+?)(\\ge|>)\s*([A-Za-z]|\\[A-Za-z]+)\s*(\\ge|>)(.+)", re.DOTALL)
_ONE_SIDED = re.compile(r"\s*([A-Za-z]|\\(?!le|ge)[A-Za-z]+)\s*(\\le|\\ge|<|>)(.+)", re.DOTALL)
_TURNED = re.compile(r"(.+?)(\\le|\\ge|<|>)\s*([A-Za-z]|\\[A-Za-z]+)\s*", re.DOTALL)


_ALTERNATIVE = re.compile(r"\s*(?:\\text\s?\{\s*or\s*\}|(?<![A-Za-z\\])or(?![A-Za-z])|\\lor|\\vee|\\cup|,|或)\s*")


def _to_interval(text: str) -> str | None:
    intervals = [_one_interval(part) for part in _ALTERNATIVE.split(text) if part]
    return None if None in intervals else "\\cup ".join(interval for interval in intervals if interval is not None)


_OPEN = {"<": "(", ">": "(", "\\le": "[", "\\ge": "["}
_CLOSE = {"<": ")", ">": ")", "\\le": "]", "\\ge": "]"}
_TURN = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}


def _one_interval(text: str) -> str | None:
    """An inequality over one variable as an interval; None for any other text."""
    if (found := _CHAIN.fullmatch(text)) is not None:
        low, left, _, right, high = found.groups()
    elif (found := _CHAIN_DOWN.fullmatch(text)) is not None:
        high, right, _, left, low = found.groups()
    elif (found := _ONE_SIDED.fullmatch(text)) is not None:
        return _half_line(found.group(2), found.group(3))
    elif (found := _TURNED.fullmatch(text)) is not None:
        return _half_line(_TURN[found.group(2)], found.group(1))
    else:
        return None
    if _RELATION.search(low) or _RELATION.search(high):
        return None
    return f"{_OPEN[left]}{low.strip()},{high.strip()}{_CLOSE[right]}"


def _half_line(relation: str, bound: str) -> str | None:
    bound = bound.strip()
    if _RELATION.search(bound):
        return None
    below = relation in ("<", "\\le")
    return f"(-\\infty,{bound}{_CLOSE[relation]}" if below else f"{_OPEN[relation]}{bound},\\infty)"


def _in_one_unit(wanted: str, given: str) -> tuple[str, str]:
    """Degrees as radians where only one side has them and the other is a multiple of pi."""
    wanted, given = (_DEGREES_OF_ANGLE.sub(_turn_to_radians, text) for text in (wanted, given))
    marks = ["^\\circ" in text or "^{\\circ}" in text for text in (wanted, given)]
    if marks == [True, False] and "\\pi" in given:
        return _to_radians(wanted), given
    if marks == [False, True] and "\\pi" in wanted:
        return wanted, _to_radians(given)
    return wanted, given


_DEGREES_OF_ANGLE = re.compile(
    r"(\\(?:sin|cos|tan|cot|sec|csc)(?:\s?\^\s?(?:\d|\{[^{}]*\}))?)\s*[({]?\s*(-?\d+(?:\.\d+)?)\s?\^\s?\{?\s?\\circ\s?\}?\s*[)}]?"
)


def _turn_to_radians(angle: "re.Match[str]") -> str:
    return f"{angle.group(1)}(\\frac{{{angle.group(2)}\\cdot \\pi}}{{180}})"


def _to_radians(text: str) -> str:
    bare = re.sub(r"\s?\^\s?\{?\\circ\s?\}?", "", text)
    return f"\\frac{{{bare}\\cdot \\pi}}{{180}}"
