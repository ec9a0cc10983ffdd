"""One registration a published operation: HTTP, gRPC, recipes, the catalogue and the docs all read it.

To add an operation, add one file under the folder of its kind:

    class Params(OperationParams):
        scale: float = Field(1.0, gt=0, description="Divides the reward.")

    class Item(OperationItem):
        reward: float

    @operation("transform", "scaled", item=Item, params=Params, fidelity="design")
    def scaled(columns: Columns, params: Params) -> Outcome:
        '''Divide by a constant.

        r' = r / scale
        '''
        return Outcome(reward=columns.floats("reward") / params.scale)

The first line of the docstring is the summary, the rest is the page's text. The function takes columns
and gives columns; where it asks for something from outside it is a generator of :mod:`.effects`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler

from .columns import Columns
from .costs import ROW_BY_ROW, Cost
from .effects import Effectful
from .outcome import Outcome

Kind = Literal["score", "transform", "combine", "credit", "audit"]
Fidelity = Literal["verified", "second-hand", "recalled", "design"]
Returns = Literal["scalar", "vector"]
Comparison = Literal["group", "request"]
"""With what an item is compared: the other members of its group, or all items of the request. Alone it has no answer in
a recipe."""
KINDS: tuple[Kind, ...] = get_args(Kind)

PROJECT_URL = "urn:reward-gateway"
"""Source of what is our own design: a name, not an address."""


class OperationParams(BaseModel):
    """Base of the parameters: one set a request, or a recipe's step. Strict: a text is no number, a list no tuple."""

    # Validators are built at the first use: to refuse a faulty recipe within two seconds, not all 240 are needed.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True, defer_build=True)


class OperationItem(BaseModel):
    """Base of the items. A missing or unusable value is an item error; a wrong type is the request's."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> Any:
        """Of every list only the first fault is collected: a million would cost a second to tell one of them."""
        schema = handler(source)
        _stop_lists_at_first_fault(schema)
        return schema


def _stop_lists_at_first_fault(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") == "list":
            schema["fail_fast"] = True
        for part in schema.values():
            _stop_lists_at_first_fault(part)
    elif isinstance(schema, (list, tuple)):
        for part in schema:
            _stop_lists_at_first_fault(part)


class NoParams(OperationParams):
    """For operations without parameters."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a formula is published."""

    title: str
    url: str


THIS_PROJECT = Source("reward-gateway", PROJECT_URL)

Answer = Outcome | Effectful[Outcome]


@dataclass(frozen=True, slots=True)
class Operation:
    """A registered operation; the fields stand in the catalogue."""

    kind: Kind
    name: str
    function: Callable[[Columns, Any], Answer]
    item: type[OperationItem]
    params: type[OperationParams]
    source: Source
    fidelity: Fidelity
    returns: Returns
    stateful: bool | Callable[[Any], bool]
    grouped: bool | Callable[[Any], bool]
    pooled: bool
    """The items of a request are answered together (one result at index 0): audits over observations."""
    cost: Cost = ROW_BY_ROW
    """What grows with the request: what may take long is done in a worker process."""
    calls: bool = False
    """In a recipe, the texts that it reads have the tool calls of messages in them, as JSON."""
    judges_texts: bool = True
    """In a recipe, where it asks a judge, the texts that it reads have the roles of their turns, and tool calls."""
    compares: Comparison | Callable[[Any], Comparison | None] | None = None
    prompt_unless: str = ""
    """The field that stands in for the prompt: an item that has it needs no prompt."""
    rule_fields: tuple[str, ...] = ()
    """Fields of the item that its reference may carry; see :mod:`.reading.rule_fields`."""
    one_is_list: bool | Callable[[Any], bool] = False
    """One accepted answer is a list itself: several are a list of lists."""
    turn_fields: Mapping[str, int] | None = None
    """Credit by step, where a turn of a conversation is a step: the fields that have an entry for each, and how many
    entries more than steps they have."""

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.function) or self.name).split("\n", 1)[0].strip()

    @property
    def text(self) -> str:
        """The docstring below the summary: formula, defaults, edge cases."""
        return (inspect.getdoc(self.function) or "").partition("\n")[2].strip()

    @property
    def performs_effects(self) -> bool:
        """It asks for something from outside: a generator of :mod:`.effects`."""
        return inspect.isgeneratorfunction(self.function)

    @property
    def judged(self) -> bool:
        """A judge may be asked: a parameter names one, and the details have ``judge_answer``."""
        return not {"judge", "extractor"}.isdisjoint(self.params.model_fields)

    def is_grouped(self, params: OperationParams) -> bool:
        """With these parameters, an answer depends on other items of its group or request."""
        return self.grouped(params) if callable(self.grouped) else self.grouped

    def keeps_state(self, params: OperationParams) -> bool:
        """With these parameters, an answer depends on stored state."""
        return self.stateful(params) if callable(self.stateful) else self.stateful

    def takes_lists(self, params: OperationParams) -> bool:
        """With these parameters, one accepted answer is a list."""
        return self.one_is_list(params) if callable(self.one_is_list) else self.one_is_list

    def find_comparison(self, params: OperationParams) -> Comparison | None:
        """With what an item is compared, with these parameters; None: with nothing."""
        return self.compares(params) if callable(self.compares) else self.compares

    def catalog_entry(self) -> dict[str, Any]:
        """The row of ``GET /v1/catalog``."""
        return {
            "kind": self.kind,
            "name": self.name,
            "summary": self.summary,
            "params_schema": self.params.model_json_schema(),
            "item_schema": self.item.model_json_schema(),
            "returns": self.returns,
            "source": {"title": self.source.title, "url": self.source.url},
            "fidelity": self.fidelity,
            "stateful": bool(self.stateful),
            "grouped": bool(self.grouped),
        }


F = TypeVar("F", bound=Callable[[Columns, Any], Answer])
_registered: dict[tuple[Kind, str], Operation] = {}


def operation(
    kind: Kind,
    name: str,
    *,
    item: type[OperationItem],
    params: type[OperationParams] = NoParams,
    source: Source = THIS_PROJECT,
    fidelity: Fidelity = "design",
    returns: Returns = "scalar",
    stateful: bool | Callable[[Any], bool] = False,
    grouped: bool | Callable[[Any], bool] = False,
    compares: Comparison | Callable[[Any], Comparison | None] | None = None,
    pooled: bool = False,
    cost: Cost = ROW_BY_ROW,
    calls: bool = False,
    judges_texts: bool = True,
    prompt_unless: str = "",
    rule_fields: tuple[str, ...] = (),
    one_is_list: bool | Callable[[Any], bool] = False,
    turn_fields: Mapping[str, int] | None = None,
) -> Callable[[F], F]:
    """Register a function as the operation ``kind/name``.

    Args:
        stateful: the answer depends on stored state, so it is never cached and not batch invariant; a function of the
            parameters where they decide.
        grouped: an answer depends on the other members of its group; a function of the parameters where they decide.
        compares: with what an item is compared; likewise.
        pooled: the request's items are one data set, answered by one result.
        prompt_unless: the field where numbers may be given, for which a hosted model would read the prompt.
        cost: what it costs, if it does not go through its items one by one in linear time.
        calls: the texts that it reads in a recipe have the tool calls of messages in them, as JSON.
        judges_texts: in a recipe, where it asks a judge, the texts that it reads are shown with roles and tool calls;
            False for one that has more use for them than to show them.
        rule_fields: fields of the item that its ``reference`` may carry, as an object with their names.
        one_is_list: one accepted answer is a list itself; a function of the parameters where they decide.
        turn_fields: of credit by step: fields with an entry per step -> how many more than steps they have.

    Raises:
        ValueError: two files register the same name, or a rule's field is none of the item's.
    """

    def register(function: F) -> F:
        key = (kind, name)
        if key in _registered and _registered[key].function.__module__ != function.__module__:
            raise ValueError(
                f"{kind}/{name} is registered twice: {function.__module__} and {_registered[key].function.__module__}"
            )
        if rule_fields and (missing := {"reference", *rule_fields} - item.model_fields.keys()):
            raise ValueError(f"{kind}/{name}: its item has no field {', '.join(sorted(missing))}")
        _registered[key] = Operation(
            kind,
            name,
            function,
            item,
            params,
            source,
            fidelity,
            returns,
            stateful,
            grouped,
            pooled,
            cost,
            calls,
            judges_texts,
            compares,
            prompt_unless,
            rule_fields,
            one_is_list,
            turn_fields,
        )
        return function

    return register


class Catalog:
    """All operations, by kind and name."""

    def __init__(self, operations: dict[tuple[Kind, str], Operation]) -> None:
        self._operations = MappingProxyType(operations)

    def get(self, kind: str, name: str) -> Operation | None:
        return self._operations.get((cast("Kind", kind), name))

    def of_kind(self, kind: Kind) -> list[Operation]:
        return [op for op in self if op.kind == kind]

    def __iter__(self) -> Any:
        return iter(sorted(self._operations.values(), key=lambda op: (KINDS.index(op.kind), op.name)))

    def __len__(self) -> int:
        return len(self._operations)

    @classmethod
    def load(cls) -> Self:
        """Import every file of the five folders once and return what they registered."""
        for kind in KINDS:
            package = importlib.import_module(f"{__package__}.{kind}")
            for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
                importlib.import_module(module.name)
        return cls(_registered)


@cache
def catalog() -> Catalog:
    """The process's catalogue."""
    return Catalog.load()
