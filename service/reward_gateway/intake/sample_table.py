"""A file of samples that somebody sent, read whole: its samples, and the numbers that its columns hold."""

import base64
import math
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from reward_gateway.errors import InvalidRequest, NotSetUp, TooLarge
from reward_gateway.extras import MissingExtra
from reward_gateway.sample.fields import FIELDS, MEDIA

from .sample_files import Csv, Parquet, Row, RowReader, Source, UnreadableFile, open_source

_TEXTS = ("prompt", "response", "reference", "group", "id")


class SampleTable(NamedTuple):
    """The rows of a file.

    Attributes:
        samples: by row, in the API's form.
        numbers: column -> by row its number, NaN where the row has none; of the columns that were asked for.
    """

    samples: list[Row]
    numbers: dict[str, list[float]]


def read_sample_table(name: str, most: int, largest: int, numbers: tuple[str, ...], content: bytes) -> SampleTable:
    """Read a file. Images are base64 or addresses, or content in Parquet; a path names no file here.

    Args:
        name: the file's name, which says of what kind it is.
        most: maximum number of rows.
        largest: maximum bytes that a Parquet file may say to hold, uncompressed.
        numbers: columns to read as numbers.

    Raises:
        InvalidRequest: it cannot be read, or lacks a column.
        TooLarge: it has more rows, or more bytes.
        NotSetUp: what reads its kind is not installed.
    """
    try:
        source = open_source(Path(PurePath(name).name), content)
        _check_size(source, most, largest)
        columns = source.columns()
        reader = RowReader({field: field for field in _TEXTS if field in columns}, isinstance(source, Csv))
        _check_columns(columns, numbers)
        table = SampleTable([], {column: [] for column in numbers})
        for row in source.rows():
            table.samples.append(_with_contents(reader.make_sample(row)))
            for column in numbers:
                table.numbers[column].append(_read_number(row, column))
    except UnreadableFile as error:
        raise InvalidRequest(str(error), param="file") from None
    except MissingExtra as error:
        raise NotSetUp(str(error), param="file") from None
    return table


def _check_size(source: Source, most: int, largest: int) -> None:
    rows = source.count()
    if not rows:
        raise UnreadableFile(f"{source.path} has no rows")
    if rows > most:
        raise TooLarge(f"{source.path} has {rows:,} rows; at most {most:,} are compared", param="file")
    if isinstance(source, Parquet):
        size = source.count_bytes()
        if size > largest:
            raise TooLarge(f"{source.path} holds {size:,} bytes; at most {largest:,} are read", param="file")


def _check_columns(columns: list[str], numbers: tuple[str, ...]) -> None:
    for column in numbers:
        if column not in columns:
            raise UnreadableFile(f"the file has no column {column}; it has: {', '.join(columns)}")
    if not {field.name for field in FIELDS if field.scored} & {*columns}:
        raise UnreadableFile(f"the file has no column response; it has: {', '.join(columns)}")


def _read_number(row: Row, column: str) -> float:
    """A cell as a number; NaN where it is empty or something else, and where its column `valid` says that it is none.

    ``score`` writes ``PREFIXreward`` beside ``PREFIXvalid``; a row that is not valid may still have a number there.
    """
    prefix = column.removesuffix("reward") if column.endswith("reward") else None
    if prefix is not None and row.get(f"{prefix}valid") in (False, "False", "false"):
        return math.nan
    value = row.get(column)
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _with_contents(sample: Row) -> Row:
    """A sample whose images are text, as JSON has them."""
    for name in MEDIA:
        if isinstance(sample.get(name), list):
            sample[name] = [_encode_image(item) for item in sample[name]]
    return sample


def _encode_image(item: Any) -> Any:
    content = item.get("bytes") if isinstance(item, Mapping) else item
    return base64.b64encode(content).decode() if isinstance(content, bytes) else item
