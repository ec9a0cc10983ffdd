"""Does the response say what the reference says? Exact rules, 1 or 0, for tasks whose answer can be checked."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

import numpy as np
import regex
from pydantic import Field, field_validator

from ..answers.choices import WORDS, find_letters, find_word
from ..answers.final import final_answer
from ..answers.normalise import NORMALISE
from ..answers.numbers import Number, last_number, nearest_double, read_number
from ..answers.quantities import last_quantity, read_quantity
from ..answers.sections import last_boxed
from ..answers.units import name_unit
from ..columns import Columns
from ..costs import UNBOUNDED, Cost
from ..outcome import ItemError, Outcome, Row, by_row, invalid_field
from ..patterns import LONGEST, compile_pattern
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..reading.rule_fields import FieldsOnly
from ..registry import OperationItem, operation

Normalise = Literal["none", "strip", "fold", "squad"]

_HOPELESS = 3
"""Items on which a pattern may run out of time before the others that have it are refused untried."""
_ALL_HOPELESS = 30
"""The same, for the patterns of one request together: a worker is held for the sum of their times."""
_PATTERN_TIMEOUT_S = 0.1


class Item(OperationItem):
    response: str = Field(description="Response to compare.")
    reference: Reference = Field(description="What the response should say.")


class MatchParams(FinalTextParams):
    normalise: Normalise = Field(
        "fold",
        description="none; strip: outer spaces; fold: also case, width and runs of spaces (NFKC); "
        "squad: lower case without punctuation and articles (an answer of nothing else keeps them).",
    )
    answer_only: bool = Field(
        False, description="Compare what stands in <answer>, in \\boxed{} or after </think>, where there is one."
    )


@operation("score", "exact_match", item=Item, params=MatchParams, cost=Cost(row=8.0, unit=0.05))
def exact_match(columns: Columns, params: MatchParams) -> Outcome:
    """1 if response and reference are equal after normalisation, else 0.

    An empty response equals nothing; a reference that is empty after normalisation is an item error.
    """
    alike = NORMALISE[params.normalise]

    def compute_row(i: int) -> Row:
        wanted = alike(columns.objects("reference")[i])
        if not wanted:
            raise ItemError("reference: is empty after normalisation", param="reference")
        response = columns.objects("response")[i]
        given = final_answer(response) if params.answer_only else response
        return Row(float(alike(given) == wanted))

    return by_row(columns.size, compute_row)


class ContainsParams(FinalTextParams):
    normalise: Normalise = Field("fold", description="As in exact_match.")


@operation("score", "contains", item=Item, params=ContainsParams, cost=Cost(row=8.0, unit=0.05))
def contains(columns: Columns, params: ContainsParams) -> Outcome:
    """1 if the reference stands somewhere in the response after normalisation, else 0.

    A reference that is empty after normalisation would be in every text, and is an item error.
    """
    alike = NORMALISE[params.normalise]

    def compute_row(i: int) -> Row:
        wanted = alike(columns.objects("reference")[i])
        if not wanted:
            raise ItemError(
                "reference: is empty after normalisation, and would be found in any response", param="reference"
            )
        return Row(float(wanted in alike(columns.objects("response")[i])))

    return by_row(columns.size, compute_row)


class RegexParams(FinalTextParams):
    pattern: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST,
        description="Regular expression (Python's syntax), of at most 20,000 elements with its counts written out. "
        "If omitted: every item has its own.",
    )
    mode: Literal["search", "fullmatch", "count"] = Field(
        "search", description="search: somewhere; fullmatch: all of it; count: the number of matches."
    )
    ignore_case: bool = Field(False, description="Upper and lower case are alike.")
    dot_all: bool = Field(True, description="A dot matches line breaks too.")

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            compile_pattern(pattern)
        return pattern

    def compiled(self, own: str | None) -> "regex.Pattern[str]":
        """An item's own pattern, else that of the parameters. Raises ItemError if there is none, or a faulty one."""
        pattern = self.pattern if own is None else own
        if not pattern:
            raise ItemError("pattern: give one in the parameters, or in the item or its reference", param="pattern")
        flags = (regex.IGNORECASE if self.ignore_case else 0) | (regex.DOTALL if self.dot_all else 0)
        try:
            return compile_pattern(pattern, flags)
        except ValueError as error:
            raise ItemError(str(error), param="pattern") from None


class RegexItem(OperationItem):
    response: str = Field(description="Response to look into.")
    pattern: str | None = Field(None, description="Its own pattern, in place of the parameters'.")
    reference: FieldsOnly = Field(None, description="An object with `pattern`.")


@operation("score", "regex_match", item=RegexItem, params=RegexParams, cost=UNBOUNDED, rule_fields=("pattern",))
def regex_match(columns: Columns, params: RegexParams) -> Outcome:
    """1 if a regular expression matches the response, else 0; or how often it does.

    The pattern is the item's own (in the item or in its reference), else that of the parameters; an item without any,
    or with one that is no regular expression, is an item error. A pattern that backtracks without end on a response is
    an item error after a tenth of a second; after three such items the rest with that pattern is refused without
    trying, and after thirty the rest of the request.
    """
    outcome = Outcome(reward=np.full(columns.size, np.nan))
    reason = invalid_field("the pattern takes too long on this response; simplify it", "response")
    assert outcome.reward is not None
    patterns = columns.objects("pattern")
    endless: Counter[str | None] = Counter()  # items that ran out of time so far, by their own pattern
    for i, response in enumerate(columns.objects("response")):
        if endless[patterns[i]] >= _HOPELESS or endless.total() >= _ALL_HOPELESS:
            outcome.invalid[i] = reason
            continue
        try:
            outcome.reward[i] = _compare(params.compiled(patterns[i]), params.mode, response)
        except ItemError as error:
            outcome.invalid[i] = invalid_field(str(error), error.param)
        except TimeoutError:
            outcome.invalid[i] = reason
            endless[patterns[i]] += 1
    return outcome


def _compare(pattern: "regex.Pattern[str]", mode: str, text: str) -> float:
    if mode == "count":
        return float(sum(1 for _ in pattern.finditer(text, timeout=_PATTERN_TIMEOUT_S)))
    ask: Callable[..., object] = pattern.fullmatch if mode == "fullmatch" else pattern.search
    return float(ask(text, timeout=_PATTERN_TIMEOUT_S) is not None)


class NumericParams(FinalTextParams):
    rel_tol: float | None = Field(
        None,
        ge=0,
        description="Tolerance as a share of the reference. If omitted: 1e-6, and whole numbers exactly.",
    )
    abs_tol: float = Field(0.0, ge=0, description="Tolerance in the reference's unit.")
    unit: Literal["strip", "required"] = Field(
        "strip", description="strip: units do not count. required: the number must have one, and is converted."
    )


def _weigh_units(params: NumericParams) -> float:
    """Comparing units begins with loading them, which takes a second: for a worker process, and not the event loop."""
    return 400.0 if params.unit == "required" else 1.0


@operation("score", "numeric_match", item=Item, params=NumericParams, cost=Cost(row=60.0, unit=0.5, times=_weigh_units))
def numeric_match(columns: Columns, params: NumericParams) -> Outcome:
    """1 if the response's number equals the reference's, else 0.

    The reference is evaluated (1/2, \\frac{3}{4}, 10^3, 1 000); one that is no single number is an item error. The
    response's number is the last one in <answer>, in \\boxed{}, after #### or in the text, as the value of the whole
    expression that it stands in. Whole numbers are compared exactly, others with |a - b| <=
    max(abs_tol, rel_tol * |b|). Percent, currencies and units are left out; 50 % is 50 and 0.5. No number: 0.
    Details: `number`.

    With `unit: required` the number is converted to the reference's unit first: 36 km/h is 10 m/s, 25 °C is 298.15 K,
    1 h 30 min is 90 min, $5 is 500 cents. Money has no rates of exchange; percent are a pure number (50 % is 0.5). No
    unit, an unknown one or one that measures something else: 0. A reference without a unit that is known is an item
    error. Further details: `unit` (what was read, in pint's names) and `mismatch` (null; no_number, unit_missing,
    unit_unknown, unit_incompatible, value).
    """

    def compute_row(i: int) -> Row:
        response, reference = columns.objects("response")[i], columns.objects("reference")[i]
        if params.unit == "required":
            return _compare_quantities(response, reference, params)
        wanted = _read_wanted(reference)
        if wanted is None:
            raise ItemError("reference: is no single number", param="reference")
        given = last_number(final_answer(response))
        number = None if given is None else given.as_double()
        equal = given is not None and any(
            _are_close(one, other, params) for one in given.readings() for other in wanted.readings()
        )
        return Row(float(equal), details={"number": number})

    return by_row(columns.size, compute_row)


def _compare_quantities(response: str, reference: str, params: NumericParams) -> Row:
    wanted = read_quantity(reference)
    if wanted is None:
        raise ItemError("reference: is no number with a unit that is known, such as 5 km or $5", param="reference")
    given = last_quantity(response)
    if given is None:
        return Row(0.0, details={"number": None, "unit": None, "mismatch": "no_number"})
    values = [value for unit in wanted.units for value in given.readings(unit)]
    equal = any(_are_close(value, _as_known(wanted.value, value), params) for value in values)
    if equal:
        mismatch = None
    elif values:
        mismatch = "value"
    else:
        mismatch = "unit_incompatible" if given.units else "unit_unknown" if given.named else "unit_missing"
    unit = name_unit(given.units[0]) if given.units else None
    return Row(float(equal), details={"number": nearest_double(given.value), "unit": unit, "mismatch": mismatch})


def _as_known(wanted: Fraction | float, given: Fraction | float) -> Fraction | float:
    """A whole number that something inexact is compared with is no longer compared exactly: 180° with radians."""
    return wanted if isinstance(given, Fraction) else float(wanted)


def _read_wanted(reference: str) -> Number | None:
    """The number of a reference: the whole of it, its box, or what follows #### in a worked solution."""
    boxed = last_boxed(reference)
    if boxed is None and "####" in reference:
        return last_number(reference)
    return read_number(reference if boxed is None else boxed)


def _are_close(given: Fraction | float, wanted: Fraction | float, params: NumericParams) -> bool:
    if given == wanted:
        return True
    if params.rel_tol is None and not params.abs_tol and isinstance(wanted, Fraction) and wanted.denominator == 1:
        return False
    share = _REL_TOL if params.rel_tol is None else params.rel_tol
    if isinstance(given, Fraction) and isinstance(wanted, Fraction):
        return abs(given - wanted) <= max(Fraction(params.abs_tol), Fraction(share) * abs(wanted))
    one, other = nearest_double(given), nearest_double(wanted)
    return one is not None and other is not None and abs(one - other) <= max(params.abs_tol, share * abs(other))


class ChoiceItem(OperationItem):
    response: str = Field(description="Response that chooses.")
    reference: Reference = Field(
        description="The right letter; with `multiple` letters, or a list of them; or true/false, yes/no."
    )
    choices: list[str] | None = Field(
        None,
        max_length=26,
        description="Texts of the options, in their letters' order; each stands for its letter.",
    )


class ChoiceParams(FinalTextParams):
    options: str = Field("ABCDEFGHIJ", pattern="^[A-Z]{2,26}$", description="The letters to choose from.")
    multiple: bool = Field(False, description="Several letters may be right: the reference names all of them.")
    partial: bool = Field(
        False, description="With multiple: the share of letters in common (Jaccard) in place of all or nothing."
    )


@operation(
    "score",
    "multiple_choice",
    item=ChoiceItem,
    params=ChoiceParams,
    cost=Cost(row=60.0, unit=0.5),
    rule_fields=("choices",),
    one_is_list=lambda params: params.multiple,
)
def multiple_choice(columns: Columns, params: ChoiceParams) -> Outcome:
    """1 if the response chooses the reference's letter, else 0.

    Read in this order: the last <answer>, a box with letters or with an option's text, the last "answer is X" (in
    English, Chinese, Japanese, Korean, French, German, Spanish and others), a letter that stands alone. A box of
    mathematics does not hide the letter stated after it. Letters that are denied do not count; several letters are no
    single answer, but a set with `multiple`. A reference of true/false or yes/no is compared with the response's word.
    Details: `choice` (the letters or the word; null without one).
    """

    def compute_row(i: int) -> Row:
        response, reference = columns.objects("response")[i], columns.objects("reference")[i]
        reference = (", ".join(map(str, reference)) if isinstance(reference, list) else reference).strip()
        if reference.lower() in _YES_OR_NO:
            word = find_word(response)
            return Row(float(word == WORDS[reference.lower()]), details={"choice": word})
        choices = columns.objects("choices")[i] or ()
        wanted = find_letters(reference, params.options, choices)
        if wanted is None or (len(wanted) > 1 and not params.multiple):
            raise ItemError(f"reference: names none of the options {params.options}", param="reference")
        chosen = find_letters(response, params.options, choices) or frozenset()
        if params.multiple and params.partial:
            reward = len(chosen & wanted) / len(chosen | wanted)
        else:
            reward = float(chosen == wanted)
        return Row(reward, details={"choice": "".join(sorted(chosen)) or None})

    return by_row(columns.size, compute_row)


_YES_OR_NO = ("true", "false", "yes", "no")
_REL_TOL = 1e-6
