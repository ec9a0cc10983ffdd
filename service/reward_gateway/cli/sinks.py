"""Outputs: the rows of the input with their rewards, in the format of the input.

A run that was stopped can be resumed. JSON lines are appended, one write per batch; a partial last line is dropped.
CSV and Parquet cannot be appended to in place: rewards are kept in a folder next to the output, one file per batch,
and joined with the rows once all are scored.
"""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from reward_gateway.intake.sample_files import JsonLines, Parquet, Row, Source

from .output import Unusable
from .whole_files import write_whole


class Sink(Protocol):
    """The output of a run."""

    out: Path

    @property
    def begun(self) -> bool:
        """True if the output already has rewards. Raises Unusable if it is finished and cannot be appended to."""

    def read_held(self) -> Iterator[Row]:
        """The rewards already written, those of the first rows. Raises Unusable if they belong to another file."""

    def append(self, rows: Sequence[Row], rewards: Sequence[Row]) -> None:
        """Write the rewards of the next rows."""

    def finish(self) -> None:
        """Complete the output after the last row."""

    def source_facts(self) -> dict[str, Any]:
        """Facts that identify the input file, for formats whose rows are not compared one by one."""


class LineSink:
    """Appends JSON lines to the output."""

    def __init__(self, source: Source, out: Path) -> None:
        self._source = source
        self.out = out

    @property
    def begun(self) -> bool:
        if not self.out.exists():
            return False
        self._drop_half_a_line()
        return self.out.stat().st_size > 0

    def source_facts(self) -> dict[str, Any]:
        return {"name": self._source.path.name}

    def read_held(self) -> Iterator[Row]:
        if not self.out.exists():
            return
        rows = self._source.rows()
        for number, scored in enumerate(JsonLines(self.out).rows(), 1):
            row = next(rows, None)
            if row is None or any(scored.get(name) != value for name, value in row.items()):
                raise Unusable(
                    f"{self.out}, line {number} is not of {self._source.path}; remove it or choose another --out"
                )
            yield scored

    def _drop_half_a_line(self) -> None:
        with self.out.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                start = max(end - (1 << 16), 0)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    file.truncate(start + newline + 1)
                    return
                end = start
            file.truncate(0)

    def append(self, rows: Sequence[Row], rewards: Sequence[Row]) -> None:
        lines = b"".join(
            msgspec.json.encode({**row, **reward}) + b"\n" for row, reward in zip(rows, rewards, strict=True)
        )
        with self.out.open("ab", buffering=0) as file:
            file.write(lines)

    def finish(self) -> None:
        self.out.touch()


class PartSink:
    """Keeps rewards in ``OUT.parts/`` until all rows are scored."""

    def __init__(self, source: Source, out: Path) -> None:
        self._source = source
        self.out = out
        self._folder = out.with_name(out.name + ".parts")

    @property
    def begun(self) -> bool:
        if self.out.exists():
            raise Unusable(f"{self.out} already exists; remove it or choose another --out")
        return bool(self._parts())

    def source_facts(self) -> dict[str, Any]:
        status = self._source.path.stat()
        return {"name": self._source.path.name, "bytes": status.st_size, "time_ns": status.st_mtime_ns}

    def read_held(self) -> Iterator[Row]:
        yield from self._read_rewards()

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))

    def _read_rewards(self) -> Iterator[Row]:
        for part in self._parts():
            yield from JsonLines(part).rows()

    def append(self, rows: Sequence[Row], rewards: Sequence[Row]) -> None:
        self._folder.mkdir(exist_ok=True)
        part = self._folder / f"{len(self._parts()):08d}.jsonl"
        write_whole(part, b"".join(msgspec.json.encode(reward) + b"\n" for reward in rewards))

    def finish(self) -> None:
        temporary = self.out.with_name(f".{self.out.name}.new")
        if isinstance(self._source, Parquet):
            self._join_parquet(self._source, temporary)
        else:
            self._join_csv(temporary)
        temporary.replace(self.out)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _join_csv(self, path: Path) -> None:
        names = next(self._read_rewards(), {})
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*self._source.columns(), *names], lineterminator="\n")
            writer.writeheader()
            for row, reward in zip(self._source.rows(), self._read_rewards(), strict=True):
                writer.writerow({**row, **{name: _cell(value) for name, value in reward.items()}})

    def _join_parquet(self, source: Parquet, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        names = next(self._read_rewards(), {})
        added = pa.schema([(name, _arrow_type(name)) for name in names])
        schema = pa.schema([*source.file.schema_arrow, *added], metadata=source.file.schema_arrow.metadata)
        rewards = self._read_rewards()
        with parquet.ParquetWriter(path, schema) as writer:
            for batch in source.file.iter_batches():
                columns = (
                    pa.RecordBatch.from_pylist(list(islice(rewards, batch.num_rows)), added).columns if names else []
                )
                writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema))


def open_sink(source: Source, out: Path) -> Sink:
    """The output for a file's rewards."""
    if out.suffix.lower() != source.path.suffix.lower():
        raise Unusable(f"{out.name} must end in {source.path.suffix}: rewards are written in the format of the file")
    if out.exists() and out.samefile(source.path):
        raise Unusable("the output would replace the input; choose another with --out")
    if out.is_dir():
        raise Unusable(f"{out} is a folder; choose another --out")
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise Unusable(f"{out.parent} cannot be written to ({error.strerror}); choose another --out") from None
    return LineSink(source, out) if isinstance(source, JsonLines) else PartSink(source, out)


def _cell(value: Any) -> str:
    """A value as CSV text: numbers that read back unchanged, an empty string for None."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else json.dumps(value)


def _arrow_type(name: str) -> Any:
    import pyarrow as pa

    last = name.rpartition(".")[2]
    return {"valid": pa.bool_(), "error": pa.string(), "rewards": pa.list_(pa.float64())}.get(last, pa.float64())
