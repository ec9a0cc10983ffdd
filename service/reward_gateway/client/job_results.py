"""What is read of jobs: single results, pages in their order, and the whole answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reward_gateway.errors import GatewayError, NotFound

from .failures import of_code
from .scores import SampleScore, Scores
from .wire import JobPage, JobRow, QueuedRow, SampleError, ScoreAnswer, WireResult

FINAL = frozenset(("done", "cancelled", "failed", "expired"))
"""What a job does not leave again."""


@dataclass(frozen=True, slots=True)
class JobResult(SampleScore):
    """One sample's reward, and its place and name in the job."""

    index: int = 0
    id: str = ""


@dataclass(frozen=True, slots=True)
class RunResult(JobResult):
    """One sample's reward from a run's queue, with what the sample carried.

    ``receipt`` acknowledges it, and what was delivered with it: the other samples of its group, if these come whole.
    """

    job: str = ""
    group: str | None = None
    metadata: dict[str, Any] | None = None
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job is.

    Attributes:
        status: ``queued``, ``running``, ``done``, ``cancelled``, ``failed`` or ``expired``.
        completed: samples that have a result, of ``samples``.
        usage: what it cost, once it has come to its end.
        error: why it failed; None: it did not.
    """

    job: str
    status: str
    reward: str
    recipe_version: str
    samples: int
    completed: int
    usage: dict[str, int] | None = None
    error: SampleError | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.status in FINAL

    @classmethod
    def of(cls, page: JobPage) -> "JobStatus":
        """That of a page."""
        return cls(
            page.job,
            page.status,
            page.reward,
            page.recipe_version,
            page.samples,
            page.completed,
            page.usage,
            page.error,
        )


@dataclass(slots=True)
class Reading:
    """How far a job was read: pages in, rows out, until its end."""

    after: str = ""
    seen: int = 0
    page: JobPage | None = None
    _rows: list[JobRow] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether there are no more results.

        Raises:
            NotFound: the job expired, and its results with it.
            GatewayError: the job failed.
        """
        page = self.page
        if page is None or page.status not in FINAL:
            return False
        if page.error is not None:
            raise of_code(page.error.code, page.error.message, page.error.param)
        if page.status == "expired":
            raise NotFound("the job has expired", param="job")
        return self.seen >= page.samples or not page.results

    def take(self, page: JobPage) -> list[JobRow]:
        """The rows of the next page."""
        self.page, self.after = page, page.cursor
        self.seen += len(page.results)
        return page.results

    def keep(self, page: JobPage) -> None:
        """As :meth:`take`, for :meth:`answer`."""
        self._rows += self.take(page)

    def answer(self) -> Scores:
        """The whole answer in the order of the samples, once the job is finished.

        Raises:
            NotFound: some of its results were acknowledged before they were read.
        """
        page = self.page
        if page is None:
            raise GatewayError("no page of the job was read")
        if (missing := page.samples - len(self._rows)) > 0:
            raise NotFound(
                f"{missing} results of the job were acknowledged by a consumer of its run, and are gone: read them "
                "from the run's queue, or submit the job with options={'queue': False}",
                param="job",
            )
        rows: list[WireResult] = [*sorted(self._rows, key=lambda row: row.index)]
        usage = page.usage or {}
        return Scores.of(ScoreAnswer(page.reward, page.recipe_version, rows, usage, {}, page.answer, page.groups))


def make_results(rows: Iterable[JobRow], answer: str | None) -> list[JobResult]:
    """Rows of a page; ``answer`` is the page's."""
    return [JobResult(**_score_fields(row, answer), index=row.index, id=row.id) for row in rows]


def make_run_results(rows: Iterable[QueuedRow]) -> list[RunResult]:
    """Rows of a run's queue."""
    return [
        RunResult(
            **_score_fields(row, None),
            index=row.index,
            id=row.id,
            job=row.job,
            group=row.group,
            metadata=row.metadata,
            receipt=row.receipt,
        )
        for row in rows
    ]


def _score_fields(row: WireResult, answer: str | None) -> dict[str, Any]:
    values = {name: component.value for name, component in row.components.items()}
    return {
        "reward": _number(row.reward),
        "valid": row.valid,
        "error": row.error,
        "flags": tuple(row.flags),
        "vector": row.rewards,
        "components": {name: _number(value) for name, value in values.items()},
        "reward_raw": row.reward_raw,
        "takes_raw": answer == "combined",
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
