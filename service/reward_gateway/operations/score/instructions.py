"""Were the instructions of a prompt followed that a program can check? IFEval and IFBench."""

import ast
import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field

from ..columns import Columns
from ..costs import UNBOUNDED
from ..instructions.registry import Asked, read_instructions
from ..instructions.text import Text
from ..outcome import ItemError, Outcome, Row, by_row
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation

_LONGEST = 200_000
"""Characters of a response that is looked at."""
_LONGEST_REFERENCE = 100_000


class Item(OperationItem):
    response: str = Field(description="Response that should follow the instructions.")
    instruction_id_list: list[str] | None = Field(
        None,
        description="Ids of the instructions, as IFEval and IFBench publish them: keywords:existence.",
    )
    kwargs: list[dict[str, Any] | None] | None = Field(
        None, description="Arguments of each instruction, in the same order; null values are left out."
    )
    key: int | str | None = Field(None, description="The number of the prompt in its data set; it is not looked at.")
    reference: Reference | None = Field(
        None,
        description="The fields above as an object or its JSON text, or the list of them that IF-RLVR data sets have "
        "as their ground truth: [{instruction_id: […], kwargs: […]}].",
    )


class Params(FinalTextParams):
    mode: Literal["strict", "loose"] = Field(
        "strict",
        description="loose: it is enough that an instruction is followed once the first line, the last line, both, or "
        "the asterisks of Markdown are left out (IFEval's loose accuracy).",
    )
    reward: Literal["all", "share"] = Field(
        "all", description="all: 1 if every instruction is followed. share: the share of those that are."
    )


@operation(
    "score",
    "instructions",
    item=Item,
    params=Params,
    source=Source("Instruction-Following Evaluation for Large Language Models", "https://arxiv.org/abs/2311.07911"),
    fidelity="verified",
    cost=UNBOUNDED,
    rule_fields=("instruction_id_list", "kwargs", "key"),
    one_is_list=True,
)
def instructions(columns: Columns, params: Params) -> Outcome:
    """Whether a response follows the instructions of its prompt that a program can check: IFEval, IFBench, M-IFEval.

    All 25 of IFEval, the 58 of IFBench (arXiv 2507.02833), M-IFEval's of Spanish, French and Japanese (arXiv
    2502.04688), and the 25 functions of RLVR-IFeval, whose rules are their own. Each instruction is checked by its
    published rule; an unknown id, or arguments that do not fit it, is an item error that says which. An empty response
    follows nothing. Sentences are split without downloaded models, languages are told by lingua (the extra `language`),
    verbs and syllables by English lists and rules: in these the verdict may differ from the published programs'.
    Details: `followed`, one truth per instruction.
    """

    def compute_row(i: int) -> Row:
        asked = _read_asked(columns, i)
        response = columns.objects("response")[i]
        if len(response) > _LONGEST:
            raise ItemError(f"response: texts of at most {_LONGEST:,} characters are looked at", "response")
        texts = [Text(variant) for variant in (_vary(response) if params.mode == "loose" else [response])]
        followed = [any(one.is_followed_by(text) for text in texts) for one in asked]
        reward = sum(followed) / len(followed) if params.reward == "share" else float(all(followed))
        return Row(reward, details={"followed": followed})

    return by_row(columns.size, compute_row)


def _vary(response: str) -> list[str]:
    """IFEval's eight variants of a response, each once."""
    lines = response.split("\n")
    cut = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*cut, *(text.replace("*", "") for text in cut)]))


def _read_asked(columns: Columns, i: int) -> list[Asked]:
    names, kwargs = columns.objects("instruction_id_list")[i], columns.objects("kwargs")[i]
    if names is not None:
        return read_instructions(names, kwargs)
    reference = columns.objects("reference")[i]
    if reference is None:
        raise ItemError("instruction_id_list: name at least one instruction", "instruction_id_list")
    return _read_reference(_parse(reference) if isinstance(reference, str) else reference)


def _parse(reference: str) -> Any:
    """What a reference that is a text holds: JSON, or the literal of Python in which some data sets are stored."""
    if len(reference) <= _LONGEST_REFERENCE:
        for parse in (json.loads, ast.literal_eval):
            try:
                return parse(reference)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    raise ItemError("reference: is no JSON object with instruction_id_list and kwargs", "reference")


def _read_reference(held: Any) -> list[Asked]:
    """The instructions of a ground truth: an object, or a list of objects (one per turn, of which all count)."""
    entries = held if isinstance(held, list) else [held]
    asked: list[Asked] = []
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(entry.get("func_name"), str):
            asked += _read_function(entry)
            continue
        names = entry.get("instruction_id_list", entry.get("instruction_id")) if isinstance(entry, Mapping) else None
        kwargs = entry.get("kwargs") if isinstance(entry, Mapping) else None
        if not _is_list_of(names, str) or not (kwargs is None or _is_list_of(kwargs, (Mapping, type(None)))):
            raise ItemError(
                "reference: an object with instruction_id_list (texts) and kwargs (objects) is expected", "reference"
            )
        asked += read_instructions(cast("list[str]", names), kwargs)
    if not asked:
        raise ItemError("reference: names no instruction", "reference")
    return asked


def _read_function(entry: Mapping[str, Any]) -> list[Asked]:
    """The instruction of a ground truth of RLVR-IFeval: a function's name beside its arguments."""
    arguments = {key: value for key, value in entry.items() if key != "func_name"}
    try:
        return read_instructions([entry["func_name"]], [arguments])
    except ItemError as error:
        raise ItemError(f"reference: {error}", "reference") from None


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)
