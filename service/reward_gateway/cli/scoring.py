"""Scores a file in batches, several at once; results are written in order."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from rich.progress import Progress, TaskID

from reward_gateway.client import AsyncRewardClient, Scores
from reward_gateway.errors import InvalidRequest, NotFound, RequestError
from reward_gateway.intake.sample_files import Csv, Row, RowReader, Source, refused_sample
from reward_gateway.recipes.suggestions import did_you_mean
from reward_gateway.sample import prompt_group
from reward_gateway.sample.fields import MEDIA

from . import pictures
from .output import Unusable, without_password
from .progress import progress_bar
from .run_record import RunRecord
from .sinks import Sink

_ALONE = "\0row-"


@dataclass(slots=True)
class Tally:
    """Rewards and errors counted for the final summary."""

    rewards: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def add(self, scored: dict[str, Any], prefix: str = "") -> None:
        """Count one row of the output."""
        self.rows += 1
        if scored[f"{prefix}valid"]:
            reward = scored[f"{prefix}reward"]
            if reward is not None:
                self.rewards.append(reward)
        else:
            self.reasons[(scored[f"{prefix}error"] or "unknown").partition(":")[0]] += 1


@dataclass(slots=True)
class FileRun:
    """One run of ``score``.

    Args:
        fields: field of a sample -> column of the file.
        prefix: of the names of the new columns.
        record: how the output was started; a run that differs is refused.
        chat_format: how texts that a chat template rendered are read; None: texts are taken as they are.
    """

    source: Source
    sink: Sink
    fields: dict[str, str]
    reward: str | None
    batch: int
    concurrency: int
    timeout_s: float
    prefix: str
    components: bool
    record: RunRecord
    chat_format: str | None = None
    tally: Tally = field(default_factory=Tally)
    _alone: Iterator[int] = field(default_factory=count)

    async def score_file(self, url: str | None, api_key: str | None, training_run: str | None = None) -> Tally:
        """Score the rows that are not scored yet, for a training run if one is named.

        Raises:
            Unusable: the file or the output cannot be used.
            GatewayError: the service rejected a request or cannot be reached; rows already written stay.
        """
        self._refuse_taken_columns()
        try:
            connected = AsyncRewardClient(url, api_key=api_key, timeout_s=self.timeout_s, run=training_run)
        except ValueError as error:  # an address that names another run, or half of a client certificate
            raise Unusable(str(error)) from None
        async with connected as client:
            options = {
                "prefix": self.prefix,
                "components": self.components,
                "columns": self.fields,
                "chat_format": self.chat_format,
                "run": training_run,
            }
            self.record.tell(service=without_password(client.url), options=options, file=self.sink.source_facts())
            if self.reward is not None:
                self.record.tell(reward=self.reward)
            for scored in self.sink.read_held():
                self.tally.add(scored, self.prefix)
            grouped = await self._choose_reward(client)
            with progress_bar() as progress:
                bar = progress.add_task(
                    f"scoring with {self.reward}", total=self.source.count(), completed=self.tally.rows
                )
                await self._score_batches(client, self._read_batches(grouped), progress, bar)
        self.sink.finish()
        return self.tally

    def _refuse_taken_columns(self) -> None:
        new_columns = [f"{self.prefix}{name}" for name in ("reward", "rewards", "reward_raw", "valid", "error")]
        if clash := sorted(set(new_columns) & set(self.source.columns())):
            raise Unusable(f"the file already has a column {clash[0]}; rename the new columns with --prefix")

    async def _choose_reward(self, client: AsyncRewardClient) -> bool:
        """Choose the recipe; return True if it compares the samples of a group."""
        rows = await client.rewards()
        if self.reward is None:
            self.reward = (await client.score([], [])).reward
        row = find_reward(rows, self.reward)
        self.record.tell(reward=self.reward, recipe_version=row["version"])
        return bool(row["grouped"])

    async def _score_batches(
        self, client: AsyncRewardClient, batches: Iterator[list[Row]], progress: Progress, bar: TaskID
    ) -> None:
        under_way: deque[tuple[list[Row], asyncio.Task[tuple[list[Row], dict[str, str]]]]] = deque()

        async def keep_first() -> None:
            rows, task = under_way.popleft()
            rewards, models = await task
            self.record.tell(models=models)
            self.record.save()
            self.sink.append(rows, rewards)
            for scored in rewards:
                self.tally.add(scored, self.prefix)
            progress.advance(bar, len(rows))

        try:
            for rows in batches:
                under_way.append((rows, asyncio.create_task(self._score_rows(client, rows))))
                if len(under_way) >= self.concurrency:
                    await keep_first()
            while under_way:
                await keep_first()
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    def _read_batches(self, grouped: bool) -> Iterator[list[Row]]:
        """The remaining rows in batches; for recipes that compare a group, groups are never split."""
        rows: list[Row] = []
        seen: set[str] = set()
        last = ""
        for row in self.source.rows(self.tally.rows):
            key = self._group_key(row) if grouped else ""
            if grouped and key != last:
                if key in seen:
                    raise Unusable(
                        "this reward compares the samples of a group: sort the file so that groups stay together"
                    )
                seen.add(key)
            if len(rows) >= self.batch and (not grouped or key != last):
                yield rows
                rows = []
            rows.append(row)
            last = key
        if rows:
            yield rows

    def _group_key(self, row: Row) -> str:
        """The group of a row as the service determines it: the given one, or that of its prompt; else it is alone."""
        group, prompt = (self._reader.read(row, name) for name in ("group", "prompt"))
        if group is None and prompt is None:
            return f"{_ALONE}{next(self._alone)}"
        return str(group) if group is not None else prompt_group(prompt)

    @property
    def _reader(self) -> RowReader:
        return RowReader(self.fields, isinstance(self.source, Csv))

    def _make_sample(self, row: Row) -> Row:
        sample = self._reader.make_sample(row)
        for name in MEDIA:
            if name in sample:
                sample[name] = pictures.read_images(sample[name], name, self.source.path.parent)
        return sample

    async def _score_rows(self, client: AsyncRewardClient, rows: Sequence[Row]) -> tuple[list[Row], dict[str, str]]:
        """The new columns of rows, and by component the model and version of its scores.

        A row that the service rejects gets the reason as its error; the other rows are scored.

        Raises:
            Unusable: the service now has another version of the recipe.
        """
        samples: dict[int, Row] = {}
        results: dict[int, Row] = {}
        for i, row in enumerate(rows):
            try:
                samples[i] = self._make_sample(row)
            except InvalidRequest as error:
                results[i] = self._make_row(None, False, f"invalid_media: {error.message}", {})
        left = list(samples)
        while True:
            try:
                asked = [samples[i] for i in left]
                scores = await client.score_samples(asked, reward=self.reward, chat_format=self.chat_format)
            except RequestError as error:
                place = refused_sample(error)
                if place is None or place >= len(left):
                    raise
                results[left.pop(place)] = self._make_row(None, False, f"{error.code}: {error.message}", {})
                continue
            self.record.tell(recipe_version=scores.recipe_version)
            for k, i in enumerate(left):
                results[i] = self._make_columns(scores, k)
            names = dict.fromkeys(name for row in results.values() for name in row)
            return [{name: results[i].get(name) for name in names} for i in range(len(rows))], _model_versions(scores)

    def _make_columns(self, scores: Scores, k: int) -> Row:
        one = scores[k]
        reason = None if one.error is None else f"{one.error.code}: {one.error.message}"
        more: Row = {} if scores.vectors is None else {"rewards": one.vector}
        if one.reward_raw is not None:
            more["reward_raw"] = _finite_or_none(one.reward_raw)
        for name, component in scores.components.items() if self.components else ():
            more[f"component.{name}"] = _finite_or_none(component.value[k])
            more[f"component.{name}.raw"] = _finite_or_none(component.raw[k])
        return self._make_row(_finite_or_none(one.reward), one.valid, reason, more)

    def _make_row(self, reward: float | None, valid: bool, error: str | None, more: Row) -> Row:
        row = {"reward": reward, "valid": valid, "error": error, **more}
        return {f"{self.prefix}{name}": value for name, value in row.items()}


def find_reward(rows: Sequence[Row], name: str) -> Row:
    """The row of a recipe in the service's list. Raises NotFound, with a name that is similar."""
    for row in rows:
        if row["name"] == name:
            return row
    raise NotFound(f"there is no reward {name!r}{did_you_mean(name, [str(row['name']) for row in rows])}")


def _model_versions(scores: Scores) -> dict[str, str]:
    """Component -> model and version of its raw scores; rules have none."""
    return {
        name: f"{component.model} {component.model_version}"
        for name, component in scores.components.items()
        if component.model is not None and component.model_version is not None
    }


def _finite_or_none(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
