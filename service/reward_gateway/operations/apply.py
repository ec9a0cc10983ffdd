"""One operation over the items of one request: check them, run the function, split its answer by item.

The running itself is a generator of effects (:mod:`.effects`), so that this module does no I/O: the gateway
answers them; :func:`run_pure` refuses them all, for operations that perform none.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from pydantic import ValidationError

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import Invalid
from reward_gateway.sample.turn_marks import TEMPLATE_MARKS, find_marked

from .columns import Columns
from .effects import Effectful, RunInWorker, perform
from .fallback_judges import run_with_fallbacks
from .outcome import ItemError, Outcome
from .reading.alternatives import MATCHED, REFERENCE, choose_best, expand_alternatives
from .reading.params import TextParams
from .reading.rule_fields import unpack_item
from .reading.view import UNFINISHED, mark_unfinished, view_texts
from .registry import Operation, OperationItem, OperationParams, catalog
from .single_groups import mark_single
from .time_limits import LIMIT_S
from .verdicts import COUNTED_DETAILS

NOT_FINITE = Invalid("not_finite", "the result is not a finite number; check the size of the inputs")

JUDGE_ANSWER = "judge_answer"
"""The detail of an operation's outcome that a recipe's explanation shows."""

RECIPE_DETAILS = frozenset((JUDGE_ANSWER, LIMIT_S, *COUNTED_DETAILS))
"""The details that a recipe shows or counts."""

_OWN_DETAILS = (UNFINISHED, MATCHED)
"""Details that an item has or has not, whatever its neighbours have."""

_RESULT_US = 10.0
"""Microseconds that one result takes to be made of columns and encoded."""

Steps = Effectful[Outcome]

# Kinds of pydantic fault that leave the item well formed: it cannot be answered, but it breaks no schema.
_UNANSWERABLE = (
    "missing",
    "value_error",
    "assertion_error",
    "too_short",
    "too_long",
    "finite_number",
    "greater",
    "less",
    "multiple_of",
    "string_too",
    "string_pattern",
    "literal_error",
)


def parse_params(operation: Operation, params: Any) -> OperationParams:
    """Validate a request's parameters.

    Raises:
        InvalidRequest: with the path of the first fault.
    """
    try:
        return operation.params.model_validate({} if params is None else params)
    except ValidationError as error:
        raise InvalidRequest(_describe_error(error), param=_error_path("params", error)) from None


def parse_items(
    operation: Operation, items: Sequence[Any]
) -> tuple[list[OperationItem], list[int], dict[int, Invalid]]:
    """Validate items one by one.

    Returns:
        The usable items, the places where they stood, and the reason for each of the others.

    Raises:
        InvalidRequest: an item breaks the schema (a wrong type, an unknown key).
    """
    usable: list[OperationItem] = []
    places: list[int] = []
    invalid: dict[int, Invalid] = {}
    for i, item in enumerate(items):
        try:
            usable.append(operation.item.model_validate(unpack_item(operation, item)))
            places.append(i)
        except ItemError as error:
            invalid[i] = Invalid("invalid_field", str(error), param=error.param)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            if not all(fault["type"].startswith(_UNANSWERABLE) for fault in faults):
                raise InvalidRequest(_describe_error(error), param=_error_path(f"items[{i}]", error)) from None
            code = "missing_field" if faults[0]["type"] == "missing" else "invalid_field"
            invalid[i] = Invalid(code, _describe_error(error), param=_error_path("", error).lstrip(".") or None)  # type: ignore[arg-type]
    return usable, places, invalid


def run(operation: Operation, columns: Columns, params: OperationParams) -> Steps:
    """Run an operation as a generator of effects, whether or not it performs any; in a worker if it may take long.

    What a worker did not finish is a reason for every row, never a number.
    """
    if not operation.cost.exceeds_limit(columns, params):
        return (yield from run_here(operation, columns, params))
    work = partial(_run_in_worker, operation.kind, operation.name, columns, params)
    outcome: Outcome | Invalid = yield from perform(RunInWorker(work))
    if isinstance(outcome, Invalid):
        return Outcome(np.full(columns.size, np.nan), invalid=dict.fromkeys(range(columns.size), outcome))
    return outcome


def run_here(operation: Operation, columns: Columns, params: OperationParams) -> Steps:
    """Run an operation in this process, whatever it costs: over the part of each response that its parameters ask for,
    and over each accepted answer of an item that has several; by another judge where the one that is named is away."""
    if not operation.judged:
        return (yield from _run_once(operation, columns, params))
    return (yield from run_with_fallbacks(partial(_run_once, operation, columns), params, columns.size))


def _run_once(operation: Operation, columns: Columns, params: OperationParams) -> Steps:
    unfinished: list[int] = []
    if isinstance(params, TextParams):
        columns, unfinished = view_texts(columns, params, calls=operation.calls)
    outcome = yield from _run_over_alternatives(operation, columns, params)
    return mark_unfinished(outcome, unfinished, columns.size)


def _run_over_alternatives(operation: Operation, columns: Columns, params: OperationParams) -> Steps:
    alternatives = None
    if operation.kind == "score" and REFERENCE in columns:
        alternatives = expand_alternatives(columns, one_is_list=operation.takes_lists(params))
    if alternatives is None:
        return (yield from _call(operation, columns, params))
    outcome = yield from _call(operation, alternatives.columns, params)
    return choose_best(outcome, alternatives, columns.size)


def _call(operation: Operation, columns: Columns, params: OperationParams) -> Steps:
    answer = operation.function(columns, params)
    return (yield from answer) if isinstance(answer, Generator) else answer


def _run_in_worker(kind: str, name: str, columns: Columns, params: OperationParams) -> Steps:
    """What a worker process does for a step of a recipe; it sends back no detail that nobody reads."""
    operation = catalog().get(kind, name)
    assert operation is not None
    outcome = yield from run_here(operation, columns, params)
    outcome.details = {key: column for key, column in outcome.details.items() if key in RECIPE_DETAILS}
    return outcome


def run_pure(steps: Steps) -> Outcome:
    """Run to the end an operation that needs nothing from outside.

    Raises:
        TypeError: it asks for something.
    """
    try:
        effect = next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise TypeError(f"this operation needs {type(effect).__name__} from outside")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request for one operation whose items and parameters have been checked."""

    operation: Operation
    params: OperationParams
    columns: Columns
    places: list[int]
    """Where the usable items stood in the request."""
    invalid: dict[int, Invalid]
    size: int

    @property
    def may_take_long(self) -> bool:
        """Whether the request belongs into a worker process."""
        return self.operation.cost.exceeds_limit(self.columns, self.params, _RESULT_US)


def prepare(operation: Operation, items: Sequence[Any], params: Any) -> Prepared:
    """Check the items and parameters of a request.

    Raises:
        InvalidRequest: the parameters or an item break the schema.
    """
    checked = parse_params(operation, params)
    usable, places, invalid = parse_items(operation, items)
    columns = Columns.of_items(usable, list(operation.item.model_fields))
    return Prepared(operation, checked, columns, places, invalid, len(items))


def answer(request: Prepared) -> Effectful[list[dict[str, Any]]]:
    """Answer a prepared request in this process: one JSON-ready result an item, in order."""
    operation, columns, params, invalid = request.operation, request.columns, request.params, request.invalid
    if operation.pooled:
        return [(yield from _run_pooled(operation, columns, params, invalid))]
    outcome = (yield from run_here(operation, columns, params)) if columns.size else Outcome()
    results = [_encode_failure(invalid[i]) if i in invalid else {} for i in range(request.size)]
    if operation.kind == "score":
        _flag_template_marks(columns, outcome)
    mark_single(operation, columns, params, outcome)
    for row, place in enumerate(request.places):
        results[place] = _encode_result(outcome, row)
    return results


def _flag_template_marks(columns: Columns, outcome: Outcome) -> None:
    """Flag items in whose response a turn of a chat template begins or ends."""
    texts = [[response] if isinstance(response, str) else [] for response in columns.objects("response")]
    for row in find_marked(texts):
        outcome.flags[row] = (*outcome.flags.get(row, ()), TEMPLATE_MARKS)


def apply(operation: Operation, items: Sequence[Any], params: Any) -> Effectful[list[dict[str, Any]]]:
    """Answer ``POST /v1/{kind}/{name}`` in this process.

    Raises:
        InvalidRequest: the parameters or an item break the schema.
    """
    return (yield from answer(prepare(operation, items, params)))


def _run_pooled(
    operation: Operation, columns: Columns, params: OperationParams, invalid: dict[int, Invalid]
) -> Effectful[dict[str, Any]]:
    if invalid:
        place, reason = next(iter(invalid.items()))
        return _encode_failure(Invalid(reason.code, f"items[{place}]: {reason.message}", param=f"items[{place}]"))
    return _encode_result((yield from run_here(operation, columns, params)), 0)


def _encode_result(outcome: Outcome, row: int) -> dict[str, Any]:
    if row in outcome.invalid:
        return _encode_failure(outcome.invalid[row])
    result: dict[str, Any] = {}
    if outcome.reward is not None:
        reward = float(outcome.reward[row])
        if not np.isfinite(reward) and outcome.rewards is None:
            return _encode_failure(NOT_FINITE)
        result["reward"] = reward if np.isfinite(reward) else None
    if outcome.rewards is not None:
        # An entry that is undefined is NaN, and null here; one that is infinite ran over.
        if _has_infinity(outcome.rewards[row]):
            return _encode_failure(NOT_FINITE)
        result["rewards"] = jsonable(outcome.rewards[row])
    details = {
        name: jsonable(column[row])
        for name, column in outcome.details.items()
        if column[row] is not None or name not in _OWN_DETAILS
    }
    if row in outcome.flags:
        details["flags"] = list(outcome.flags[row])
    return {**result, "details": details, "error": None}


def _has_infinity(value: Any) -> bool:
    """True if there is an infinity anywhere in numbers that may be nested."""
    if isinstance(value, (list, tuple)):
        return any(map(_has_infinity, value))
    return bool(np.isinf(np.asarray(value, dtype=np.float64)).any())


def _encode_failure(reason: Invalid) -> dict[str, Any]:
    error = {"code": reason.code, "message": reason.message, "param": reason.param}
    return {"reward": None, "details": {}, "error": error}


def jsonable(value: Any) -> Any:
    """Numpy values as plain ones; numbers that are not finite as null."""
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(entry) for entry in value]
    return value


def _describe_error(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else str(fault["msg"])


def _error_path(root: str, error: ValidationError) -> str:
    path = root
    for part in error.errors(include_url=False, include_input=False)[0]["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path
