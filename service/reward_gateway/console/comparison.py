"""A comparison: a file's samples scored by two recipes, or read from its columns. Nothing of it is kept."""

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np
import orjson
from starlette.datastructures import FormData, UploadFile

from reward_gateway.errors import InvalidRequest, RequestError, TooLarge
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.request import SampleItem, ScoreRequest
from reward_gateway.intake.sample_files import refused_sample
from reward_gateway.intake.sample_table import SampleTable, read_sample_table
from reward_gateway.lab.side_by_side import SideBySide, compare_side_by_side
from reward_gateway.sample import FloatArray, plain_text, prompt_group
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings

from .page import Visit

RUN = "console:compare"
"""The run of comparisons: what a recipe keeps of its samples is never mixed with a training run's."""

BATCH = 256
"""Samples that are scored together, but for larger groups."""

_SHORT = 256 << 10
_READING_S = 120.0
_COLUMN, _REWARD = "column", "reward:"


@dataclass(frozen=True, slots=True)
class Side:
    """Where one side's rewards come from.

    Attributes:
        reward: name of a recipe or model; empty: they stand in the file.
        column: of the file.
    """

    reward: str = ""
    column: str = ""

    @property
    def name(self) -> str:
        return self.reward or f"column {self.column}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks for."""

    file: str
    content: bytes
    sides: tuple[Side, Side]

    @classmethod
    async def read(cls, form: FormData) -> Self:
        """Of a form. Raises InvalidRequest with the field at fault."""
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidRequest("choose a file of samples, or drop one", param="file")
        first, second = (_read_side(form, name) for name in ("a", "b"))
        if first == second:
            raise InvalidRequest(f"A and B are both {first.name}: choose another for B", param="b")
        return cls(file.filename, await file.read(), (first, second))


@dataclass(slots=True)
class SideScores:
    """The rewards of one side.

    Attributes:
        version: of the recipe; empty for a column.
        models: component -> model and version.
        values: [n] before the comparison within a group, where there is one; NaN where there is none.
        errors: row -> ``code: message``.
    """

    side: Side
    values: FloatArray
    version: str = ""
    models: dict[str, str] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome."""

    samples: Sequence[dict[str, Any]]
    sides: tuple[SideScores, SideScores]
    found: SideBySide


async def read_file(visit: Visit, asked: Asked) -> SampleTable:
    """The samples of the file. Raises GatewayError where it cannot be read, or is over a limit."""
    settings = visit.parts.settings
    columns = tuple(dict.fromkeys(side.column for side in asked.sides if side.column))
    read = partial(read_sample_table, asked.file, most_rows(settings), settings.max_job_body, columns)
    # In a process with a limit on its memory, since a small file may hold much.
    takes_long = len(asked.content) > _SHORT or asked.file.lower().endswith(".parquet")
    deadline = asyncio.get_running_loop().time() + _READING_S
    return await visit.parts.intake.read(read, asked.content, deadline, takes_long=takes_long)


async def compare_table(
    visit: Visit, sides: Sequence[Side], table: SampleTable
) -> AsyncGenerator[tuple[int, Compared | None], None]:
    """Score the samples: how many rows are done, again and again, and at last the outcome too.

    Raises:
        GatewayError: a recipe could score nothing, or there is none of its name.
    """
    size = len(table.samples)
    groups = [_group_of(sample, row) for row, sample in enumerate(table.samples)]
    scorers = [_Scorer(visit, side, table) for side in sides]
    done = 0
    yield 0, None
    if any(side.reward for side in sides):
        for rows in _cut(groups):
            await asyncio.gather(*(scorer.score_rows(rows) for scorer in scorers))
            done += len(rows)
            yield done, None
    first, second = (scorer.scores for scorer in scorers)
    words = np.array([_count_words(sample) for sample in table.samples], np.float64)
    found = await asyncio.to_thread(compare_side_by_side, first.values, second.values, groups, words)
    yield size, Compared(table.samples, (first, second), found)


def most_rows(settings: Settings) -> int:
    """Maximum rows of a file: as many as a job may have."""
    return max(settings.max_samples, settings.max_job_samples)


class _Scorer:
    """Scores the samples of a table by one side."""

    def __init__(self, visit: Visit, side: Side, table: SampleTable) -> None:
        self._parts = visit.parts
        self._scope = RequestScope(visit.key.caller, RUN)
        self._table = table
        values = np.array(table.numbers[side.column]) if side.column else np.full(len(table.samples), math.nan)
        self.scores = SideScores(side, values)
        if side.column:
            self.scores.errors |= dict.fromkeys(np.flatnonzero(np.isnan(values)).tolist(), "no number in the file")

    async def score_rows(self, rows: Sequence[int]) -> None:
        """Score some rows; a row that is no sample has the reason as its error."""
        if not self.scores.side.reward:
            return
        items: dict[int, SampleItem] = {}
        for row in rows:
            try:
                items[row] = self._decode(row)
            except RequestError as error:
                self._refuse(row, error)
        while items:
            left = list(items)
            try:
                await self._score_items(left, [items[row] for row in left])
            except (InvalidRequest, TooLarge) as error:
                place = refused_sample(error)
                if place is None or place >= len(left):
                    raise
                self._refuse(left[place], error)
                del items[left[place]]
                continue
            return

    async def _score_items(self, rows: Sequence[int], items: Sequence[SampleItem]) -> None:
        request = ScoreRequest(list(items), self.scores.side.reward)
        prepared = await self._parts.intake.prepare(request, self._scope, asyncio.get_running_loop().time())
        options = prepared.options
        options.on_invalid, options.is_trial = "null", True
        scored = await self._parts.gateway.score(prepared.batch, prepared.reward, options)
        values = scored.reward if scored.reward_raw is None else scored.reward_raw
        self.scores.values[list(rows)] = values
        self.scores.version = scored.version
        for name, component in scored.components.items():
            model, version = component.model, component.model_version
            if model is not None:
                self.scores.models[name] = f"{model} {version}" if version else model
        for place, row in enumerate(rows):
            if (reason := scored.invalid.get(place)) is not None:
                self.scores.errors[row] = f"{reason.code}: {reason.message}"
                self.scores.values[row] = math.nan
            elif not math.isfinite(values[place]):
                self.scores.errors[row] = "no_number: the recipe gives no single number"

    def _decode(self, row: int) -> SampleItem:
        try:
            body = orjson.dumps(self._table.samples[row], option=orjson.OPT_SERIALIZE_NUMPY)
        except TypeError:  # of a Parquet file: a date, bytes in the place of a text
            raise InvalidRequest("a value of the row has no place in JSON") from None
        return decode_as(SampleItem, self._parts.settings.max_nesting, body, check=True)

    def _refuse(self, row: int, error: RequestError) -> None:
        self.scores.errors[row] = f"{error.code}: {error.message}"


def _read_side(form: FormData, name: str) -> Side:
    chosen, column = form.get(name), form.get(f"{name}_column")
    if chosen == _COLUMN:
        if not isinstance(column, str) or not column.strip():
            raise InvalidRequest(f"{name.upper()}: name the column of the file that holds the rewards", param=name)
        return Side(column=column.strip())
    if not isinstance(chosen, str) or not chosen.startswith(_REWARD):
        raise InvalidRequest(f"{name.upper()}: choose a recipe, a model or a column", param=name)
    return Side(reward=chosen.removeprefix(_REWARD))


def _cut(groups: Sequence[str]) -> Iterator[list[int]]:
    """The rows in batches; the samples of a group stay together, wherever they stand in the file."""
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    batch: list[int] = []
    for rows in members.values():
        if batch and len(batch) + len(rows) > BATCH:
            yield batch
            batch = []
        batch += rows
    if batch:
        yield batch


def _group_of(sample: dict[str, Any], row: int) -> str:
    """The group that the service puts a sample in; a sample without prompt and group is alone."""
    if sample.get("group") is not None:
        return f"g{sample['group']}"
    prompt = sample.get("prompt")
    try:
        return f"r{row}" if prompt is None else f"p{prompt_group(prompt)}"
    except TypeError:  # a row that is no sample
        return f"r{row}"


def _count_words(sample: dict[str, Any]) -> int:
    try:
        return len(plain_text(sample.get("response") or "").split())
    except (AttributeError, TypeError):  # a row that is no sample
        return 0
