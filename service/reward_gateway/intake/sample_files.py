"""Files of samples: JSON lines, CSV or Parquet, read row by row as mappings of column to value.

A file is on this machine, or a page sent its content.
"""

import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO, TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from reward_gateway import extras
from reward_gateway.errors import RequestError, Unscorable
from reward_gateway.sample.fields import of_form

Row = dict[str, Any]

_MORE = tuple(field.name for field in of_form("media", "steps", "numbers", "objects"))
"""Fields that are read by their own names, where a file has more than texts."""


class UnreadableFile(ValueError):
    """A file of samples cannot be read; the message says where and why, and repeats nothing of it."""


class Source(Protocol):
    """A file of samples."""

    path: Path

    def count(self) -> int:
        """Number of rows."""

    def columns(self) -> list[str]:
        """Names of the columns; of JSON lines those that any row has.

        Raises UnreadableFile for a row that cannot be read.
        """

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Rows from ``start`` on. Raises UnreadableFile for a row that cannot be read."""

    def place(self, row: int) -> str:
        """Where a row stands, for people; rows are counted from 0."""


class _File:
    """A file.

    Args:
        path: where it is, or only its name.
        content: what it holds; None: it is read at ``path``.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        self.path = path
        self._content = content

    def _open(self) -> BinaryIO:
        return self.path.open("rb") if self._content is None else BytesIO(self._content)


class JsonLines(_File):
    """One JSON object per line; empty lines are skipped."""

    def count(self) -> int:
        with self._open() as file:
            return sum(1 for line in file if not line.isspace())

    def columns(self) -> list[str]:
        return list(self._columns)

    @cached_property
    def _columns(self) -> dict[str, None]:
        """A row may lack a key that others have, the first one too."""
        return dict.fromkeys(chain.from_iterable(self.rows()))

    def rows(self, start: int = 0) -> Iterator[Row]:
        with self._open() as file:
            lines = ((number, line) for number, line in enumerate(file, 1) if not line.isspace())
            for number, line in islice(lines, start, None):
                yield self._row(number, line)

    def place(self, row: int) -> str:
        with self._open() as file:
            lines = (number for number, line in enumerate(file, 1) if not line.isspace())
            return f"line {next(islice(lines, row, None))}"

    def _row(self, number: int, line: bytes) -> Row:
        try:
            return _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnreadableFile(f"{self.path}, line {number}: not a JSON object") from None


_decoder = msgspec.json.Decoder(dict[str, Any])


class Csv(_File):
    """Comma-separated values (RFC 4180, UTF-8) with a header; every value is text."""

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        super().__init__(path, content)
        csv.field_size_limit(sys.maxsize)

    @contextmanager
    def _open_text(self) -> Iterator[TextIOWrapper]:
        with TextIOWrapper(self._open(), encoding="utf-8-sig", newline="") as file:
            try:
                yield file
            except UnicodeDecodeError:
                raise UnreadableFile(f"{self.path}: this is not UTF-8") from None

    def count(self) -> int:
        with self._open_text() as file:
            return max(sum(1 for row in csv.reader(file) if row) - 1, 0)

    def columns(self) -> list[str]:
        with self._open_text() as file:
            return list(csv.DictReader(file).fieldnames or ())

    def rows(self, start: int = 0) -> Iterator[Row]:
        with self._open_text() as file:
            reader = csv.DictReader(file, strict=True)
            try:
                for row in islice(reader, start, None):
                    if None in row or None in row.values():
                        raise UnreadableFile(
                            f"{self.path}, line {reader.line_num}: not as many fields as the header has"
                        )
                    yield row
            except csv.Error as error:
                raise UnreadableFile(f"{self.path}, line {reader.line_num}: {error}") from None

    def place(self, row: int) -> str:
        with self._open_text() as file:
            reader = csv.DictReader(file)
            next(islice(reader, row, None))
            return f"line {reader.line_num}"


class Parquet(_File):
    """An Apache Parquet file."""

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        super().__init__(path, content)
        with extras.needed():
            import pyarrow
            from pyarrow import parquet

        try:
            self.file = parquet.ParquetFile(path if content is None else BytesIO(content))
        except pyarrow.ArrowInvalid:
            raise UnreadableFile(f"{path} is not a Parquet file") from None

    def count(self) -> int:
        rows: int = self.file.metadata.num_rows
        return rows

    def count_bytes(self) -> int:
        """Bytes of its values before compression, as it says."""
        metadata = self.file.metadata
        return sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))

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


def open_source(path: Path, content: bytes | None = None) -> Source:
    """Open a file by the suffix of its name.

    Args:
        content: what it holds; None: it is read at ``path``.

    Raises:
        UnreadableFile: it is of another kind, or not there.
        MissingExtra: what reads its kind is not installed.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UnreadableFile(f"{path.name}: the name must end in {', '.join(KINDS)}")
    if content is None and not path.is_file():
        raise UnreadableFile(f"there is no file {path}")
    return kind(path, content)  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class RowReader:
    """How the rows of a file become samples.

    Attributes:
        fields: field of a sample -> column of the file.
        only_texts: every value is text, as in a CSV file: fields of other forms are not read, and an empty cell is an
            empty text, but no group.
    """

    fields: Mapping[str, str]
    only_texts: bool

    def read(self, row: Row, name: str) -> Any:
        """A field's value, None where it is missing: an absent key or null."""
        value = row.get(self.fields[name]) if name in self.fields else None
        return None if name == "group" and value == "" and self.only_texts else value

    def make_sample(self, row: Row) -> Row:
        """The sample of a row, with images as they stand in the file."""
        sample = {name: self.read(row, name) for name in self.fields}
        if not self.only_texts:
            sample |= {name: row[name] for name in _MORE if row.get(name) is not None}
        if sample.get("id") is not None:
            sample["id"] = str(sample["id"])
        return {name: value for name, value in sample.items() if value is not None}


def refused_sample(error: RequestError) -> int | None:
    """Index of the sample that a request error names; None if it names none."""
    if isinstance(error, Unscorable) or not (error.param or "").startswith("samples["):
        return None
    return int((error.param or "").removeprefix("samples[").partition("]")[0])
