"""Guards: what makes a sample suspicious. A guard flags; what a flag means (``flag | zero | invalid``) the recipe says.

To add one, write a function over a view of the samples and register it:

    @guard("too_long", TooLong)
    def too_long(view: GuardView, params: TooLong) -> BoolArray: ...

A guard that cannot judge every sample answers with :class:`Judged`; one that needs something from outside is a
generator of :mod:`..effects`.
"""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from reward_gateway.sample import BoolArray, FloatArray, Invalid

from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful, RunInWorker, perform
from ..registry import Comparison, NoParams, OperationParams


@dataclass(frozen=True, slots=True)
class GuardView:
    """What a guard may look at: texts, accepted answers, component values [n] by name, and the models' own flags.

    Attributes:
        responses: empty where a sample has none; ``without_response`` says where.
        prompts: of guards that read them; None where a sample has none.
        groups: names of the samples' groups, of guards that compare within them.
        settled: rows that have failed already, whose answer nobody reads.
    """

    responses: Sequence[str]
    references: Sequence[Sequence[str]]
    components: Mapping[str, FloatArray]
    flags: Mapping[int, tuple[str, ...]]
    prompts: Sequence[str | None] = ()
    groups: Sequence[str] = ()
    without_response: frozenset[int] = frozenset()
    settled: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        return len(self.responses)


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer of a guard: [n] True where the sample is suspicious, and why some could not be judged."""

    suspicious: BoolArray
    invalid: Mapping[int, Invalid] = field(default_factory=dict)


Answer = BoolArray | Judged | Effectful[Judged]

GUARD_COST = Cost(row=5.0, unit=0.2)
"""Of a guard that says nothing else; the units are characters of responses, and of prompts where it reads them."""


def _read_nothing(_: Any) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Guard:
    """A registered guard."""

    name: str
    function: Callable[[GuardView, Any], Answer]
    params: type[OperationParams]
    reads_texts: bool = True
    """It looks at the texts of samples alone, at no component and at nothing that a model has said."""
    reads: Callable[[Any], frozenset[str]] = _read_nothing
    """With parameters, the fields of a sample beside the response without which it cannot judge it."""
    compares: Comparison | None = None
    """With what it compares a sample; alone a sample cannot be judged."""
    cost: Cost = GUARD_COST

    @property
    def summary(self) -> str:
        return self._document.partition("\n")[0]

    @property
    def text(self) -> str:
        """The docstring below the summary."""
        return self._document.partition("\n")[2].strip()

    @property
    def _document(self) -> str:
        return (inspect.getdoc(self.function) or self.name).strip()


GUARDS: dict[str, Guard] = {}
F = TypeVar("F", bound=Callable[[GuardView, Any], Answer])


def guard(
    name: str,
    params: type[OperationParams] = NoParams,
    *,
    reads_texts: bool = True,
    reads: Callable[[Any], frozenset[str]] = _read_nothing,
    compares: Comparison | None = None,
    cost: Cost = GUARD_COST,
) -> Callable[[F], F]:
    """Register a guard under a name that recipes use; see :class:`Guard` for the arguments."""

    def register(function: F) -> F:
        GUARDS[name] = Guard(name, function, params, reads_texts, reads, compares, cost)
        return function

    return register


def find_suspicious(guard: Guard, view: GuardView, params: Any) -> Effectful[Judged | Invalid]:
    """Run a guard over a batch, in a worker if that may take long; or why it did not come to its end."""
    columns = Columns(view.size, {"response": view.responses, "prompt": [prompt or "" for prompt in view.prompts]})
    if not guard.cost.exceeds_limit(columns, params):
        return (yield from _run_guard(guard.name, view, params))
    answer: Judged | Invalid = yield from perform(RunInWorker(partial(_run_guard, guard.name, view, params)))
    return answer


def _run_guard(name: str, view: GuardView, params: Any) -> Effectful[Judged]:
    answer = GUARDS[name].function(view, params)
    if isinstance(answer, Generator):
        answer = yield from answer
    return answer if isinstance(answer, Judged) else Judged(answer)


def explain_missing(name: str, field: str) -> Invalid:
    """Why a guard cannot judge a sample that lacks a field."""
    return Invalid("missing_field", f"the guard {name} reads the {field}, and the sample has none", param=field)


def refuse_without_response(view: GuardView, name: str) -> dict[int, Invalid]:
    """The samples without a response, each with the reason why a guard cannot judge it."""
    return dict.fromkeys(sorted(view.without_response), explain_missing(name, "response"))
