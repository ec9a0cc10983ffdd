"""Sequences with an ellipsis."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise

from ..answers.numbers import read_number
from .decision import Decision
from .listed import split_top

DOTS = "\\ldots"
_MOST_TERMS = 10_000
_LARGEST_TERM = 10**30


def compare_patterns(wanted: str, given: str) -> Decision:
    """Sequences with an ellipsis: the same terms, written out as far as both are known."""
    one, other = _write_out(wanted), _write_out(given)
    return Decision(one is not None and one == other, "exact")


def _write_out(text: str) -> tuple[str, ...] | None:
    """The terms of a sequence; with an ellipsis between numbers, all that it stands for; None without a pattern."""
    inner = re.fullmatch(r"\s*\\?[{(\[]?(.*?)\\?[})\]]?\s*", text, re.DOTALL)
    body = inner.group(1) if inner else text
    terms = [term for term in split_top(body, ":" if ":" in body and "," not in body else ",") if term]
    if DOTS not in terms:
        return tuple(terms) if DOTS not in body else (_squeeze(body),)
    place = terms.index(DOTS)
    head, tail = terms[:place], terms[place + 1 :]
    numbers = [read_number(term) for term in (*head, *tail)]
    values = [number.value for number in numbers if number is not None]
    if len(values) < len(numbers) or len(head) < 2:
        return (*map(_squeeze, head[:2]), DOTS, *map(_squeeze, tail))
    known = values[: len(head)]
    rule = _rule_of(known)
    if rule is None:
        return (*map(str, known), DOTS, *map(str, values[len(head) :]))
    if not tail:
        return ("from", *map(str, _first_terms(known[0], rule)))
    last, written = values[len(head)], list[str]()
    for term in islice(_follow(known[0], rule), _MOST_TERMS):
        written.append(str(term))
        if term == last:
            return (*written, *map(str, values[len(head) + 1 :]))
    return (*map(str, known), DOTS, *map(str, values[len(head) :]))


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
