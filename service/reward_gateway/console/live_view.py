"""What the Live page shows: a run or a recipe over all runs, by which rows, and with what its newest are compared."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast, get_args
from urllib.parse import urlencode

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.run_name import LARGEST_STEP
from reward_gateway.runs.across import RecipeRuns
from reward_gateway.runs.heads import Head
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.loaded import SECONDS, Bucket, LoadedRun
from reward_gateway.runs.store import RunName
from reward_gateway.telemetry.sketches import Summary
from reward_gateway.whole_numbers import parse_whole

from .page import Visit

ROWS = 360
"""Rows that the page shows: six hours of minutes, fifteen days of hours."""

SHARES = {"0.1": "the first tenth", "0.25": "the first quarter", "0.5": "the first half"}
"""Windows that are a share of the rows."""

AGAIN_S = 30.0
"""Seconds after which a window that was chosen freely is read again while samples may still come into it."""


class View(NamedTuple):
    """What is asked for.

    Attributes:
        name: the run; with ``recipe`` only whose runs, all callers' where its caller is empty.
        recipe: over all runs; None: one run.
        share: of the rows, the first ones, with which the newest are compared.
        window: first and last step, or seconds since 1970, in their place; None: nobody chose any.
    """

    name: RunName
    recipe: str | None
    bucket: Bucket
    share: str
    window: tuple[int, int] | None = None

    @property
    def rows(self) -> range | None:
        """The rows of the window."""
        if self.window is None:
            return None
        first, last = (end // SECONDS.get(self.bucket, 1) for end in self.window)
        return range(first, last + 1)

    def query(self, **changes: str) -> str:
        """The query that names this view."""
        shown = {"recipe": self.recipe} if self.recipe else {"caller": self.name.caller, "name": self.name.run}
        return urlencode(shown | {"bucket": self.bucket, "window": self.share} | changes)


def read_view(visit: Visit, heads: Sequence[Head]) -> View:
    """What the query names; of ``heads`` the first, where it names no run.

    Raises:
        InvalidRequest, PermissionDenied: it names what there is not, or another caller's run without the right.
    """
    given = visit.request.query_params
    recipe, bucket, share = given.get("recipe"), given.get("bucket", ""), given.get("window", "0.1")
    caller, name = given.get("caller"), given.get("name")
    if recipe:
        found = RunName("" if visit.has_right("admin") else visit.key.caller, "")
        bucket = bucket or "minute"
    else:
        if name is None and heads:
            caller, name = heads[0].caller, heads[0].run
        found = RunName(caller or visit.key.caller, name or "")
        if found.caller != visit.key.caller:
            visit.require("admin")
        if not bucket:
            head = next((head for head in heads if (head.caller, head.run) == found), None)
            bucket = "step" if head is not None and head.last_step is not None else "minute"
    if bucket not in list_buckets(recipe) or share not in SHARES:
        raise InvalidRequest("there is no such view of a run", param="bucket")
    return View(found, recipe or None, cast("Bucket", bucket), share, _read_window(given))


def list_buckets(recipe: str | None) -> tuple[str, ...]:
    """Widths of rows to choose from: steps of different runs are not the same."""
    return tuple(SECONDS) if recipe else get_args(Bucket)


def _read_window(given: Mapping[str, str]) -> tuple[int, int] | None:
    if "from" not in given and "to" not in given:
        return None
    first, last = (_read_end(given, name) for name in ("from", "to"))
    if first > last:
        raise InvalidRequest("the window ends before it begins", param="to")
    return first, last


def _read_end(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "")
    number = parse_whole(text.removeprefix("-"))
    if number is None or number > LARGEST_STEP:
        raise InvalidRequest("write a step, or seconds since 1970", param=name)
    return -number if text.startswith("-") else number


class Follower:
    """Reads what a view shows, again and again."""

    def __init__(self, history: RunHistory, view: View) -> None:
        self._history, self._view = history, view
        self._across = (
            RecipeRuns(history, view.name.caller or None, view.recipe, view.bucket, ROWS) if view.recipe else None
        )
        self._before: dict[str, Summary] = {}
        self._read_at: float | None = None
        self.runs = 1

    async def load(self) -> LoadedRun:
        """The newest rows. Raises NotFound or StateUnavailable."""
        if self._across is None:
            return await self._history.load(self._view.name, self._view.bucket, ROWS)
        run, self.runs = await self._across.load()
        return run

    async def measure_drift(self, run: LoadedRun) -> dict[str, dict[str, float] | None]:
        """How far the newest rows moved from those of the window. Raises NotFound or StateUnavailable."""
        rows = self._view.rows
        if rows is None:
            return run.measure_drift(run.summarise_first(float(self._view.share)))
        now = asyncio.get_running_loop().time()
        newest = max((series[-1].at for series in run.series.values() if series), default=0)
        if self._read_at is None or (newest in rows and now - self._read_at > AGAIN_S):
            window = (
                await self._history.load(self._view.name, self._view.bucket, within=rows)
                if self._across is None
                else await self._across.load_within(rows)
            )
            self._before = await asyncio.to_thread(window.summarise_rows)
            self._read_at = now
        return run.measure_drift(self._before)
