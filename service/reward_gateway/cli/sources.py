"""Input files: JSON lines, CSV or Parquet, read row by row as mappings of column to value."""

import csv
import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from reward_gateway import extras

from .output import Unusable

Row = dict[str, Any]


class Source(Protocol):
    """A file of samples."""

    path: Path

    def count(self) -> int:
        """Number of rows."""

    def columns(self) -> list[str]:
        """Names of the columns; of JSON lines those that any row has. Raises Unusable for a row that cannot be read."""

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Rows from ``start`` on. Raises Unusable for a row that cannot be read."""

    def place(self, row: int) -> str:
        """Where a row stands, for people; rows are counted from 0."""


class JsonLines:
    """One JSON object per line; empty lines are skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def count(self) -> int:
        with self.path.open("rb") as file:
            return sum(1 for line in file if not line.isspace())

    def columns(self) -> list[str]:
        return list(self._columns)

    @cached_property
    def _columns(self) -> dict[str, None]:
        """A row may lack a key that others have, the first one too."""
        return dict.fromkeys(chain.from_iterable(self.rows()))

    def rows(self, start: int = 0) -> Iterator[Row]:
        with self.path.open("rb") as file:
            lines = ((number, line) for number, line in enumerate(file, 1) if not line.isspace())
            for number, line in islice(lines, start, None):
                yield self._row(number, line)

    def place(self, row: int) -> str:
        with self.path.open("rb") as file:
            lines = (number for number, line in enumerate(file, 1) if not line.isspace())
            return f"line {next(islice(lines, row, None))}"

    def _row(self, number: int, line: bytes) -> Row:
        try:
            return _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unusable(f"{self.path}, line {number}: not a JSON object") from None


_decoder = msgspec.json.Decoder(dict[str, Any])


class Csv:
    """Comma-separated values (RFC 4180, UTF-8) with a header; every value is text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        csv.field_size_limit(sys.maxsize)

    def count(self) -> int:
        with self.path.open(newline="", encoding="utf-8-sig") as file:
            return max(sum(1 for row in csv.reader(file) if row) - 1, 0)

    def columns(self) -> list[str]:
        with self.path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file).fieldnames or ())

    def rows(self, start: int = 0) -> Iterator[Row]:
        with self.path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            try:
                for row in islice(reader, start, None):
                    if None in row or None in row.values():
                        raise Unusable(f"{self.path}, line {reader.line_num}: not as many fields as the header has")
                    yield row
            except csv.Error as error:
                raise Unusable(f"{self.path}, line {reader.line_num}: {error}") from None

    def place(self, row: int) -> str:
        with self.path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            next(islice(reader, row, None))
            return f"line {reader.line_num}"


class Parquet:
    """An Apache Parquet file."""

    def __init__(self, path: Path) -> None:
        with extras.needed():
            import pyarrow
            from pyarrow import parquet

        self.path = path
        try:
            self.file = parquet.ParquetFile(path)
        except pyarrow.ArrowInvalid:
            raise Unusable(f"{path} is not a Parquet file") from None

    def count(self) -> int:
        rows: int = self.file.metadata.num_rows
        return rows

    def columns(self) -> list[str]:
        return list(self.file.schema_arrow.names)

    def rows(self, start: int = 0) -> Iterator[Row]:
        for batch in self.file.iter_batches(1024):
            if start >= batch.num_rows:
                start -= batch.num_rows
                continue
            yield from batch.slice(start).to_pylist()
            start = 0

    def place(self, row: int) -> str:
        return f"row {row + 1}"


KINDS: dict[str, type[Source]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": Csv,
    ".parquet": Parquet,
}


def open_source(path: Path) -> Source:
    """Open a file by the suffix of its name. Raises Unusable."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise Unusable(f"{path.name}: the name must end in {', '.join(KINDS)}")
    if not path.is_file():
        raise Unusable(f"there is no file {path}")
    return kind(path)  # type: ignore[call-arg]
