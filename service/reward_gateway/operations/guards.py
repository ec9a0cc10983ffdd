"""Guards: what makes a sample suspicious. A guard flags; what a flag means (``flag | zero | invalid``) the recipe says.

To add one, write a function over columns and register it:

    @guard("too_long", TooLong)
    def too_long(view: GuardView, params: TooLong) -> BoolArray: ...
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from reward_gateway.sample import BoolArray, FloatArray

from .registry import NoParams, OperationParams


@dataclass(frozen=True, slots=True)
class GuardView:
    """What a guard may look at: texts, references, component values [n] by name, and the models' own flags."""

    responses: Sequence[str]
    references: Sequence[str | None]
    components: Mapping[str, FloatArray]
    flags: Mapping[int, tuple[str, ...]]

    @property
    def size(self) -> int:
        return len(self.responses)


@dataclass(frozen=True, slots=True)
class Guard:
    """A registered guard: [n] bool, True where the sample is suspicious."""

    name: str
    function: Callable[[GuardView, Any], BoolArray]
    params: type[OperationParams]

    @property
    def summary(self) -> str:
        return (self.function.__doc__ or self.name).strip().split("\n", 1)[0]


GUARDS: dict[str, Guard] = {}
F = TypeVar("F", bound=Callable[[GuardView, Any], BoolArray])


def guard(name: str, params: type[OperationParams] = NoParams) -> Callable[[F], F]:
    """Register a guard under a name that recipes use."""

    def register(function: F) -> F:
        GUARDS[name] = Guard(name, function, params)
        return function

    return register


@guard("empty_response")
def empty_response(view: GuardView, _: NoParams) -> BoolArray:
    """The response is empty or blank; it is scored all the same."""
    return np.array([not response.strip() for response in view.responses], dtype=bool)
