"""Scores samples that a command made, in batches and resumed as ``score`` does, and keeps them in a file."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from reward_gateway.client import AsyncRewardClient
from reward_gateway.client.sync import DEFAULT_URL
from reward_gateway.intake.sample_files import JsonLines, Row
from reward_gateway.lab.scores import RewardScores

from .output import Unusable
from .run_record import RunRecord
from .scoring import FileRun, find_reward
from .sinks import LineSink

_FIELDS = ("prompt", "response", "reference", "group")
_NO_NUMBER = "no_number: the recipe gives no single number"


@dataclass(frozen=True, slots=True)
class Asking:
    """How the service is asked.

    Attributes:
        batch, concurrency: samples per request, and requests at a time.
        timeout_s: per request, retries included.
    """

    url: str | None
    api_key: str | None
    training_run: str | None = None
    batch: int = 256
    concurrency: int = 4
    timeout_s: float = 600.0

    @property
    def address(self) -> str:
        """Where the service is."""
        return self.url or DEFAULT_URL

    def client(self) -> AsyncRewardClient:
        """A client, for the running event loop. Raises Unusable for an address that cannot be used."""
        try:
            return AsyncRewardClient(
                self.address, api_key=self.api_key, timeout_s=self.timeout_s, run=self.training_run
            )
        except ValueError as error:  # an address that names another run, or half of a client certificate
            raise Unusable(str(error)) from None

    async def find_rewards(self, names: Sequence[str]) -> list[Row]:
        """The rows of recipes in the service's list. Raises NotFound, with a name that is similar."""
        async with self.client() as client:
            rows = await client.rewards()
        return [find_reward(rows, name) for name in names]


class Samples:
    """Samples in memory, in the place of a file of them.

    Args:
        path: the file that they were made from; images are found beside it.
        samples: in the API's form.
        labels: of each sample what it is, to stand in the file of scores.
    """

    def __init__(self, path: Path, samples: Sequence[Row], labels: Sequence[Row]) -> None:
        self.path = path
        self.labels = labels
        self._samples = samples

    def count(self) -> int:
        return len(self._samples)

    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for sample in self._samples for name in sample))

    def rows(self, start: int = 0) -> Iterator[Row]:
        return islice(iter(self._samples), start, None)

    def place(self, row: int) -> str:
        return f"sample {row + 1}"


class ScoreFile(LineSink):
    """Scores as JSON lines, each with its sample's label and a hash of the sample in place of its texts."""

    def __init__(self, samples: Samples, out: Path) -> None:
        super().__init__(samples, out)
        self._samples = samples
        self._written = 0

    def read_held(self) -> Iterator[Row]:
        if not self.out.exists():
            return
        samples = self._samples.rows()
        for scored in JsonLines(self.out).rows():
            sample = next(samples, None)
            if sample is None or scored.get("sample") != _hash_sample(sample):
                raise Unusable(
                    f"{self.out}, line {self._written + 1} is not of {self._samples.path} as it is read now; "
                    "remove it or choose another --out"
                )
            self._written += 1
            yield scored

    def append(self, rows: Sequence[Row], rewards: Sequence[Row]) -> None:
        labels = self._samples.labels[self._written : self._written + len(rows)]
        super().append(
            [{**label, "sample": _hash_sample(row)} for label, row in zip(labels, rows, strict=True)], rewards
        )
        self._written += len(rows)


def _hash_sample(sample: Row) -> str:
    return hashlib.blake2b(msgspec.json.encode(sample, order="deterministic"), digest_size=12).hexdigest()


async def score_samples(samples: Samples, reward: str, out: Path, asking: Asking) -> RewardScores:
    """Score samples, and keep them with their scores in a file of JSON lines; what it already holds is not asked again.

    Raises:
        Unusable: the file was begun with other samples, another recipe, version or service, or cannot be written.
        GatewayError: the service rejected a request or cannot be reached; what is scored is kept.
    """
    sink = ScoreFile(samples, out)
    record = RunRecord(out, resumed=sink.begun)
    present = {*samples.columns()}
    fields: dict[str, str] = {name: name for name in _FIELDS if name in present}
    run = FileRun(samples, sink, fields, reward, asking.batch, asking.concurrency, asking.timeout_s, "", False, record)
    await run.score_file(asking.url, asking.api_key, asking.training_run)
    values, errors = [], []
    for row in JsonLines(out).rows():
        value, error = _read_score(row)
        values.append(value)
        errors.append(error)
    facts = record.facts
    return RewardScores(reward, facts["recipe_version"], dict(facts.get("models", {})), values, errors)


def _read_score(row: Row) -> tuple[float, str | None]:
    if not row["valid"]:
        return math.nan, row["error"] or "unknown"
    value = row["reward"] if row.get("reward_raw") is None else row["reward_raw"]
    return (math.nan, _NO_NUMBER) if value is None else (float(value), None)
