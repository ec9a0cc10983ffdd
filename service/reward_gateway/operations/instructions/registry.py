"""The table of instructions, and the reading of ``instruction_id_list`` and ``kwargs``."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from ..outcome import ItemError
from .text import Text

Count = Annotated[int, Field(ge=0, le=10**9)]
Place = Annotated[int, Field(ge=1, le=10**9)]
Percentage = Annotated[float, Field(ge=0, le=100)]
_RELATIONS = {
    **dict.fromkeys(("al menos", "au moins", "以上"), "at least"),
    **dict.fromkeys(("moins de", "未満"), "less than"),
    "como máximo": "at most",
}
"""Relations as M-IFEval writes them."""

Relation = Annotated[
    Literal["less than", "at least", "at most"],
    BeforeValidator(lambda value: _RELATIONS.get(value, value) if isinstance(value, str) else value),
]
_LANGUAGES = ("en:", "es:", "fr:", "ja:")
Wanted = Annotated[str, Field(min_length=1)]

MOST = 100
"""Most instructions of one item."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction: ``follows(text, **arguments)`` says whether a text follows it."""

    name: str
    follows: Callable[..., bool]
    arguments: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction with the arguments of one item."""

    instruction: Instruction
    arguments: Mapping[str, Any]

    def is_followed_by(self, text: Text) -> bool:
        """Whether a text follows it; a blank text follows nothing."""
        return bool(text.raw.strip()) and self.instruction.follows(text, **self.arguments)


_INSTRUCTIONS: dict[str, Instruction] = {}
F = TypeVar("F", bound=Callable[..., bool])


def instruction(name: str) -> Callable[[F], F]:
    """Register a function under an instruction's published id."""

    def register(function: F) -> F:
        fields: dict[str, Any] = {
            argument.name: (argument.annotation, ... if argument.default is argument.empty else argument.default)
            for argument in inspect.signature(function).parameters.values()
            if argument.kind is argument.KEYWORD_ONLY
        }
        arguments = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
        _INSTRUCTIONS[name] = Instruction(name, function, arguments)
        return function

    return register


@cache
def all_instructions() -> Mapping[str, Instruction]:
    """Every instruction by its id."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__, f"{__package__}."):
        importlib.import_module(module.name)
    return _INSTRUCTIONS


def read_instructions(names: Sequence[str], kwargs: Sequence[Mapping[str, Any] | None] | None) -> list[Asked]:
    """The instructions of an item.

    Args:
        names: ids, as ``instruction_id_list`` has them.
        kwargs: arguments of each; None values are left out, as data sets hold every argument of any instruction.

    Raises:
        ItemError: an unknown id, or arguments that do not fit; it names the place.
    """
    if not names:
        raise ItemError("instruction_id_list: name at least one instruction", "instruction_id_list")
    if len(names) > MOST:
        raise ItemError(f"instruction_id_list: at most {MOST} instructions", "instruction_id_list")
    given = [{}] * len(names) if kwargs is None else kwargs
    if len(given) != len(names):
        raise ItemError(f"kwargs: {len(names)} instructions need as many entries, not {len(given)}", "kwargs")
    return [_read_one(i, name, values or {}) for i, (name, values) in enumerate(zip(names, given, strict=True))]


def _find_instruction(name: str) -> Instruction | None:
    """The rule of an id; one with a language before it is that language's own, or the common one."""
    known = all_instructions()
    return known.get(name) or (known.get(name[3:]) if name.startswith(_LANGUAGES) else None)


def _read_one(place: int, name: str, values: Mapping[str, Any]) -> Asked:
    known = _find_instruction(name)
    if known is None:
        near = get_close_matches(name, all_instructions(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        param = f"instruction_id_list[{place}]"
        raise ItemError(f"{param}: no instruction {name[:80]!r} is known{hint}", param)
    try:
        read = known.arguments.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        param = ".".join((f"kwargs[{place}]", *map(str, fault["loc"])))
        known_keys = ", ".join(known.arguments.model_fields) or "none"
        raise ItemError(f"{param}: {fault['msg']} (arguments of {name}: {known_keys})", param) from None
    return Asked(known, {key: getattr(read, key) for key in known.arguments.model_fields})
