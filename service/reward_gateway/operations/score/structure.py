"""Does the response have the form that was asked for? Tags, fences, programs that parse."""

import threading
import warnings
from typing import Literal

import numpy as np
from pydantic import Field

from ..answers.fences import canonical_language, find_fences, last_program
from ..columns import Columns
from ..costs import Cost
from ..outcome import Outcome, Row, by_row
from ..reading.params import FinalTextParams, TextParams
from ..reading.view import OPENED
from ..registry import OperationItem, operation
from ..texts import is_blank

_FILTERS = threading.Lock()
_LONGEST_PROGRAM = 50_000
"""Characters of a program that is parsed: the parser's time and memory are bounded with them."""


class Item(OperationItem):
    response: str = Field(description="Response whose form is looked at.")


class TagParams(TextParams):
    tags: list[str] = Field(["think", "answer"], min_length=1, max_length=16, description="Tags in order, no brackets.")
    mode: Literal["strict", "soft"] = Field(
        "strict", description="strict: 1 or 0 for the whole form. soft: share of opening and closing tags found once."
    )
    after: Literal["auto", "nothing", "anything", "text"] = Field(
        "auto",
        description="What stands behind the last section. text: something has to. auto: anything if the last tag is "
        "one of reasoning (think), else nothing.",
    )
    allow_empty: bool = Field(False, description="A section may be empty.")


@operation("score", "format_tags", item=Item, params=TagParams, cost=Cost(row=15.0, unit=0.05))
def format_tags(columns: Columns, params: TagParams) -> Outcome:
    """Whether a response is made of tagged sections in order: <think>…</think><answer>…</answer>.

    strict: 1 if every tag opens and closes exactly once, in this case of letters, in order, with something in every
    section, nothing but space before and between them, and behind them what `after` says; else 0. Where the prompt has
    opened the first section (`reasoning`), its opening tag is not expected.
    soft: the share of the opening and closing tags that occur exactly once, in [0, 1].
    The idea is DeepSeek-R1's format reward (arXiv 2501.12948) and, with tags: [think], TRL's think_format_reward; the
    rule is this project's. Details: `in_order`.
    """
    marks = [mark for tag in params.tags for mark in (f"<{tag}>", f"</{tag}>")]
    opened = columns.objects(OPENED, False)

    def compute_row(i: int) -> Row:
        response = columns.objects("response")[i]
        if (params.reasoning == "opened" or opened[i]) and marks[0] not in response:
            response = marks[0] + response
        once = [response.count(mark) == 1 for mark in marks]
        in_order = all(once) and _in_order(response, marks)
        if params.mode == "soft":
            return Row(sum(once) / len(once), details={"in_order": in_order})
        return Row(float(in_order and _is_well_formed(response, marks, params)), details={"in_order": in_order})

    return by_row(columns.size, compute_row)


def _in_order(text: str, marks: list[str]) -> bool:
    places = [text.find(mark) for mark in marks]
    return places == sorted(places)


def _is_well_formed(text: str, marks: list[str], params: TagParams) -> bool:
    """Whether every section has something in it, only space stands around them, and behind them what is wanted."""
    end = 0
    for opening, closing in zip(marks[::2], marks[1::2], strict=True):
        start = text.find(opening)
        if text[end:start].strip():
            return False
        end = text.find(closing)
        if not params.allow_empty and is_blank(text[start + len(opening) : end]):
            return False
        end += len(closing)
    after = params.after
    if after == "auto":
        after = "anything" if params.tags[-1].lower() in _REASONING else "nothing"
    return after == "anything" or not (is_blank(text[end:]) if after == "text" else text[end:].strip())


_REASONING = ("think", "thinking", "thought", "reasoning")


class FenceParams(FinalTextParams):
    language: str | None = Field(None, description="The fence has to name it, in any case; any fence counts if unset.")
    count: int | None = Field(None, ge=1, description="Fences that there have to be; at least one if unset.")


@operation("score", "code_fence", item=Item, params=FenceParams, cost=Cost(row=8.0, unit=0.1))
def code_fence(columns: Columns, params: FenceParams) -> Outcome:
    """1 if the response holds a fenced block of code (of a language, a certain number of them), else 0.

    Languages go by any of their names (py, python3), with whatever follows them on the line. A block whose closing
    fence was cut off counts if something stands in it.
    """
    wanted = None if params.language is None else canonical_language(params.language)

    def compute_row(i: int) -> float:
        blocks = find_fences(columns.objects("response")[i])
        found = [
            block for block in blocks if (block.closed or block.content.strip()) and wanted in (None, block.language)
        ]
        return float(len(found) == params.count if params.count is not None else bool(found))

    return Outcome(reward=np.array(columns.map_rows(compute_row), dtype=np.float64))


@operation("score", "valid_python", item=Item, params=FinalTextParams, cost=Cost(row=40.0, unit=4.0))
def valid_python(columns: Columns, params: FinalTextParams) -> Outcome:
    """1 if the response's Python compiles, else 0. Nothing is run.

    The program is the last fenced block that names python (or py, python3), else the last that names nothing, else the
    whole response. An empty program, and one of over 50,000 characters, gives 0. Details: `line` of the first fault.
    """

    def compute_row(i: int) -> Row:
        program = last_program(columns.objects("response")[i], "python")
        if not program.strip() or len(program) > _LONGEST_PROGRAM:
            return Row(0.0, details={"line": None})
        try:
            # A warning would print the response's line; filters are global, so one thread at a time.
            with _FILTERS, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(program, "<response>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return Row(0.0, details={"line": error.lineno})
        except (ValueError, RecursionError, MemoryError, OverflowError):
            return Row(0.0, details={"line": None})
        return Row(1.0, details={"line": None})

    return by_row(columns.size, compute_row)
