"""Did the response call the right tools, with the right arguments?"""

from typing import Any, Literal

from pydantic import Field

from ..calls.given_values import Equality
from ..calls.response_calls import GivenCall, read_calls
from ..calls.right_calls import Arguments, RightCall, loosen, read_right_calls
from ..calls.tools import Tool, read_tools
from ..columns import Columns
from ..costs import UNBOUNDED
from ..outcome import ItemError, Outcome, Row, by_row
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation
from .json_schema import check_schema, fits_schema

_MOST = 128
"""Calls of a response, or of a reference, that are compared."""


class Params(FinalTextParams):
    arguments: Arguments = Field(
        "exact",
        description="exact: the same arguments. subset: those of the reference, and others. schema: any that fit the "
        "schema of the tool (`tools`). names: the names of the tools alone count.",
    )
    order: Literal["set", "sequence"] = Field("set", description="Whether the calls may stand in any order.")
    reward: Literal["all", "fraction"] = Field(
        "all", description="all: 1 if every call is right and none is missing. fraction: the share of right calls."
    )
    strings: Literal["auto", "exact", "loose"] = Field(
        "auto",
        description="loose: without regard to case, spaces and , . / - _ * ^ in texts. auto: loose for references in "
        "BFCL's form.",
    )
    rel_tol: float = Field(0.0, ge=0, description="Tolerance of numbers, as a share of the reference's.")
    abs_tol: float = Field(0.0, ge=0, description="Tolerance of numbers.")


class Item(OperationItem):
    response: str = Field(description="Response that calls tools.")
    reference: Reference = Field(
        description="The right calls: a list of {name, arguments}, of OpenAI's tool_calls, or of BFCL's {name: "
        "{argument: [values]}}; or a text that holds them. A list of lists: any of them is right. []: no call is."
    )
    tools: list[dict[str, Any]] | None = Field(
        None, description="The tools that are offered, as OpenAI's or BFCL's lists have them."
    )


@operation(
    "score",
    "tool_calls",
    item=Item,
    params=Params,
    source=Source("Berkeley Function Calling Leaderboard", "https://gorilla.cs.berkeley.edu/leaderboard.html"),
    fidelity="verified",
    cost=UNBOUNDED,
    calls=True,
    rule_fields=("tools",),
    one_is_list=True,
)
def tool_calls(columns: Columns, params: Params) -> Outcome:
    """1 if the response calls the tools of the reference with the right arguments, and no others, else 0.

    Calls are read from messages' `tool_calls`, <tool_call> (JSON or XML), JSON by itself, in a line of its own or in a
    fence, <function=…>, <|python_tag|>, [TOOL_CALLS], the marks of DeepSeek, Kimi and Command, and Python's
    [f(a=1), g(b="x")] with named arguments. A call that cannot be read makes the response wrong. With `fraction` the
    reward is the number of right calls by the larger of both numbers of calls; right calls are paired with given ones
    so that as many as possible fit. Numbers are compared as numbers (1 is 1.0), true is not 1, texts are no numbers.
    With `tools`, an argument that is left out has the default that its schema says.

    A reference in BFCL's form is compared as bfcl-eval does: any of an argument's values is right, "" among them says
    that it may be left out, texts are compared loosely, and with `tools` a value has the declared type. Details:
    `calls` (how many were read; null if they could not be), `right`, `fault` (the first call that is wrong, and where).
    """
    responses, references, tools = (columns.objects(name) for name in ("response", "reference", "tools"))

    def compute_row(i: int) -> Row:
        right, offered = _read(references[i], "reference", read_right_calls), _read(tools[i], "tools", read_tools)
        if len(right) > _MOST:
            raise ItemError(f"reference: at most {_MOST} calls", "reference")
        given = read_calls(responses[i])
        if given is None or len(given) > _MOST:
            return Row(0.0, details={"calls": None, "right": 0, "fault": "unreadable"})
        pairs, fault = _pair(given, right, params, offered)
        most = max(len(given), len(right))
        share = pairs / most if most else 1.0
        reward = share if params.reward == "fraction" else float(share == 1)
        return Row(reward, details={"calls": len(given), "right": pairs, "fault": fault})

    return by_row(columns.size, compute_row)


def _read(value: Any, name: str, read: Any) -> Any:
    try:
        return read(value)
    except (ValueError, RecursionError) as error:
        raise ItemError(str(error) if str(error).startswith(name) else f"{name}: {error}", name) from None


def _pair(
    given: list[GivenCall], right: list[RightCall], params: Params, offered: dict[str, Tool]
) -> tuple[int, str | None]:
    """How many right calls can be paired with given ones, and where the first given call without one is wrong."""
    schemas: dict[str, dict[str, Any]] = {}
    if params.arguments == "schema":
        schemas = {name: _read(tool.schema(), "tools", check_schema) for name, tool in offered.items()}

    def find_fault(g: int, r: int) -> str | None:
        tool = offered.get(right[r].name)
        loose = params.strings == "loose" or (params.strings == "auto" and right[r].listed)
        equal = Equality(params.rel_tol, params.abs_tol, loosen if loose else str)
        if params.arguments != "schema":
            return right[r].find_fault(given[g], params.arguments, equal, tool)
        if tool is None:
            raise ItemError(f"tools: arguments: schema needs the tool {right[r].name[:64]!r}", "tools")
        fault = right[r].find_fault(given[g], "names", equal, tool)
        if fault is None and not fits_schema(schemas[tool.name], tool.type_arguments(given[g].arguments or {})):
            return "arguments"
        return fault

    if params.order == "sequence":
        faults = [find_fault(k, k) for k in range(min(len(given), len(right)))]
        wrong = next((k for k, fault in enumerate(faults) if fault), None)
        fault = None if wrong is None else f"call {wrong + 1}: {faults[wrong]}"
        return faults.count(None), fault or _count_fault(given, right)
    table = [[find_fault(g, r) for r in range(len(right))] for g in range(len(given))]
    owner = _match([[fault is None for fault in row] for row in table], len(right))
    lone = next((g for g in range(len(given)) if g not in owner.values()), None)
    if lone is None or len(given) > len(right):
        return len(owner), _count_fault(given, right)
    free = [r for r in range(len(right)) if r not in owner]
    nearest = max((str(table[lone][r]) for r in free), key=lambda fault: fault != "name")
    return len(owner), f"call {lone + 1}: {nearest}"


def _count_fault(given: list[GivenCall], right: list[RightCall]) -> str | None:
    if len(given) == len(right):
        return None
    return "no call" if not given else f"{len(given)} calls in place of {len(right)}"


def _match(fits: list[list[bool]], size: int) -> dict[int, int]:
    """The largest pairing of rows with columns that fit: column -> row (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column in range(size):
            if fits[row][column] and column not in tried:
                tried.add(column)
                if column not in owner or place(owner[column], tried):
                    owner[column] = row
                    return True
        return False

    for row in range(len(fits)):
        place(row, set())
    return owner
