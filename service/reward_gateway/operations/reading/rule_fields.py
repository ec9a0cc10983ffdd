"""Per-sample fields of rules: a reference may be an object that holds them by their names, beside the ``answer``.

An operation declares the fields of its items that a reference may carry (``rule_fields`` of ``@operation``). What the
reference says goes before what the item, or a recipe, says. An object may have no other key; a JSON text is read as an
object only where fields are declared and one of them, or ``answer``, stands in it: elsewhere it is an answer itself.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BeforeValidator, WithJsonSchema

from reward_gateway.sample import Invalid

from ..outcome import ItemError, invalid_field
from ..registry import Operation, OperationItem
from .alternatives import REFERENCE, read_answer

ANSWER = "answer"
"""The key of a reference's object for the accepted answer, or a list of them."""

FieldsOnly = Annotated[
    None,
    BeforeValidator(lambda _: None),
    WithJsonSchema({"anyOf": [{"type": kind} for kind in ("object", "string", "array", "null")]}),
]
"""The reference of an item that is compared with no answer: it is read for the fields of the rule alone."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What the references of n rows carry.

    Attributes:
        columns: ``reference`` -> [n] answers, field -> [n] values; None where there is none.
        invalid: row -> what is wrong with its reference.
    """

    columns: dict[str, list[Any]] = field(default_factory=dict)
    invalid: dict[int, Invalid] = field(default_factory=dict)


def carries_fields(operation: Operation) -> bool:
    """Whether the reference of an operation's items may be an object: it is one with answers, or with fields alone."""
    return operation.kind == "score" and _may_hold_object(operation.item)


@cache
def _may_hold_object(item: type[OperationItem]) -> bool:
    held = item.model_fields.get(REFERENCE)
    return held is not None and (held.annotation is type(None) or _takes_list(held.annotation))


def unpack_references(operation: Operation, references: Sequence[Any], others: Collection[str] = ()) -> Carried:
    """Part references into answers and fields.

    Args:
        references: [n] texts, lists, objects or None.
        others: fields that other operations read of the same references; they are known, and passed over.

    Returns:
        No columns if no reference is an object, so that they can be read as they are.
    """
    known = {*operation.rule_fields, *others}
    if not any(isinstance(value, Mapping) or (known and _may_be_object(value)) for value in references):
        return Carried()
    own = set(operation.rule_fields)
    carried = Carried({REFERENCE: [None] * len(references), **{name: [None] * len(references) for name in own}})
    for k, reference in enumerate(references):
        held = _read_object(reference, own, known)
        if held is None:
            carried.columns[REFERENCE][k] = reference
            continue
        try:
            _check_keys(held, known)
            carried.columns[REFERENCE][k] = _read_accepted(held.get(ANSWER), operation)
        except ItemError as error:
            carried.invalid[k] = invalid_field(str(error), error.param)
            continue
        for name in own & held.keys():
            carried.columns[name][k] = held[name]
    return carried


def unpack_item(operation: Operation, item: Any) -> Any:
    """An item of a request with what its reference carries in the item's own fields.

    Raises:
        ItemError: the object has unknown keys, or an answer that is none.
    """
    if not isinstance(item, Mapping) or item.get(REFERENCE) is None or not carries_fields(operation):
        return item
    carried = unpack_references(operation, [item[REFERENCE]])
    if carried.invalid:
        raise ItemError(carried.invalid[0].message, carried.invalid[0].param)
    if not carried.columns:
        return item
    held = {name: column[0] for name, column in carried.columns.items() if column[0] is not None}
    return {**{name: value for name, value in item.items() if name != REFERENCE}, **held}


def _read_object(reference: Any, own: Collection[str], known: Collection[str]) -> Mapping[str, Any] | None:
    """The object that a reference is, or whose JSON text it is; None if it is an answer."""
    if isinstance(reference, Mapping):
        return reference
    if not known or not _may_be_object(reference):
        return None
    try:
        value = json.loads(reference)
    except (ValueError, RecursionError):
        return None
    telling = {*known, ANSWER} if own else {*known}
    return value if isinstance(value, dict) and not telling.isdisjoint(value) else None


def _may_be_object(reference: Any) -> bool:
    return isinstance(reference, str) and reference.lstrip()[:1] == "{"


def _check_keys(held: Mapping[str, Any], known: Collection[str]) -> None:
    for key in held:
        if key != ANSWER and key not in known:
            keys = ", ".join([ANSWER, *sorted(known)])
            raise ItemError(f"reference: unknown key {str(key)[:40]!r}; known here: {keys}", f"{REFERENCE}.{key}")


def _read_accepted(answer: Any, operation: Operation) -> Any:
    if operation.item.model_fields[REFERENCE].annotation is type(None):
        return None
    if isinstance(answer, Mapping):
        if operation.one_is_list is True:
            return [answer]
        raise ItemError("reference.answer: a text, a number or a list is expected, not an object", "reference.answer")
    return read_answer(answer)


def _takes_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_takes_list, get_args(annotation)))
