"""Does the response have the form that was asked for? Tags, fences, programs that parse."""

import ast
import threading
import warnings
from typing import Literal

import numpy as np
from pydantic import Field

from ..answers.sections import fences
from ..columns import Columns
from ..costs import Cost
from ..outcome import Outcome, Row, by_row
from ..reading.params import FinalTextParams, TextParams
from ..registry import OperationItem, operation

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


@operation("score", "format_tags", item=Item, params=TagParams, cost=Cost(row=15.0, unit=0.05))
def format_tags(columns: Columns, params: TagParams) -> Outcome:
    """Whether a response is made of tagged sections in order: <think>…</think><answer>…</answer>.

    strict: 1 if every tag opens and closes exactly once, in order, with nothing but space outside, else 0.
    soft: the share of the opening and closing tags that occur exactly once, in [0, 1].
    The idea is DeepSeek-R1's format reward (arXiv 2501.12948); the rule is this project's. Details: `in_order`.
    """
    marks = [mark for tag in params.tags for mark in (f"<{tag}>", f"</{tag}>")]

    def compute_row(i: int) -> Row:
        response = columns.objects("response")[i]
        once = [response.count(mark) == 1 for mark in marks]
        in_order = all(once) and _in_order(response, marks)
        if params.mode == "soft":
            return Row(sum(once) / len(once), details={"in_order": in_order})
        return Row(float(in_order and _nothing_outside(response, marks)), details={"in_order": in_order})

    return by_row(columns.size, compute_row)


def _in_order(text: str, marks: list[str]) -> bool:
    places = [text.find(mark) for mark in marks]
    return places == sorted(places)


def _nothing_outside(text: str, marks: list[str]) -> bool:
    """Whether only space stands before the first tag, between sections and after the last."""
    end = 0
    for opening, closing in zip(marks[::2], marks[1::2], strict=True):
        if text[end : text.find(opening)].strip():
            return False
        end = text.find(closing) + len(closing)
    return not text[end:].strip()


class FenceParams(FinalTextParams):
    language: str | None = Field(None, description="The fence has to name it, in any case; any fence counts if unset.")
    count: int | None = Field(None, ge=1, description="Fences that there have to be; at least one if unset.")


@operation("score", "code_fence", item=Item, params=FenceParams, cost=Cost(row=8.0, unit=0.05))
def code_fence(columns: Columns, params: FenceParams) -> Outcome:
    """1 if the response holds a fenced block of code (of a language, a certain number of them), else 0."""
    wanted = None if params.language is None else params.language.lower()

    def compute_row(i: int) -> float:
        found = [language for language, _ in fences(columns.objects("response")[i]) if wanted in (None, language)]
        return float(len(found) == params.count if params.count is not None else bool(found))

    return Outcome(reward=np.array(columns.map_rows(compute_row), dtype=np.float64))


@operation("score", "valid_python", item=Item, params=FinalTextParams, cost=Cost(row=20.0, unit=3.0))
def valid_python(columns: Columns, params: FinalTextParams) -> Outcome:
    """1 if the response's Python parses, else 0. Nothing is run.

    The program is the last fenced block that names python or nothing, else the whole response. An empty
    program, and one of over 50,000 characters, gives 0. Details: `line` of the first fault.
    """

    def compute_row(i: int) -> Row:
        response = columns.objects("response")[i]
        blocks = [content for language, content in fences(response) if language in ("python", "py", "python3", "")]
        program = blocks[-1] if blocks else response
        if not program.strip() or len(program) > _LONGEST_PROGRAM:
            return Row(0.0, details={"line": None})
        try:
            # A warning would print the response's line; filters are global, so one thread at a time.
            with _FILTERS, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(program)
        except SyntaxError as error:
            return Row(0.0, details={"line": error.lineno})
        except (ValueError, RecursionError, MemoryError):
            return Row(0.0, details={"line": None})
        return Row(1.0, details={"line": None})

    return by_row(columns.size, compute_row)
