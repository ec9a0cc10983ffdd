"""The addresses of listings that have a query, and rows of a run for other tools."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal
from urllib.parse import quote, urlencode

Bucket = Literal["minute", "hour", "step"]

PAGE = 1000
"""Runs of a page."""

SAMPLES_PAGE = 500
"""Kept samples of a page."""


def runs_listing(cursor: str, tenant: str | None) -> str:
    """A page of runs; the first if ``cursor`` is empty."""
    return f"runs?{_encode_query(limit=PAGE, cursor=cursor or None, tenant=tenant)}"


def run_listing(name: str, bucket: Bucket, after: int | None, tenant: str | None) -> str:
    """The history of a run."""
    return f"runs/{quote(name, safe='')}?{_encode_query(bucket=bucket, after=after, tenant=tenant)}"


def usage_listing(first: date | None, last: date | None) -> str:
    """The usage of the days from ``first`` to ``last``."""
    days = {name: day.isoformat() for name, day in (("from", first), ("to", last)) if day is not None}
    return f"usage?{_encode_query(**days)}"


def flatten_row(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row of a run's series by name, as trackers of experiments take them: ``mean``, ``std``,
    ``quantile/0.5``, ``component/NAME``, ``advantage/std``, ``zero_variance_share``, ``invalid_share`` and others;
    what too few samples tell is left out."""
    advantage = row["advantage"] or {}
    numbers = {
        "samples": row["n"],
        "mean": row["mean"],
        "std": row["std"],
        **{f"quantile/{q}": value for q, value in (row["quantiles"] or {}).items()},
        **{f"component/{name}": part["mean"] for name, part in row["components"].items()},
        **{f"advantage/{name}": advantage.get(name) for name in ("mean", "std")},
        "zero_variance_share": row["zero_variance_share"],
        "length_correlation": row["length_correlation"],
        "invalid_share": row["invalid"] / row["n"],
        "flagged_share": row["flagged"] / row["n"],
    }
    return {name: float(value) for name, value in numbers.items() if value is not None}


def samples_listing(cursor: str, filters: Mapping[str, str | None]) -> str:
    """A page of kept samples; the first if ``cursor`` is empty."""
    return f"samples?{_encode_query(limit=SAMPLES_PAGE, cursor=cursor or None, **filters)}"


def _encode_query(**named: str | int | None) -> str:
    return urlencode({name: value for name, value in named.items() if value is not None})
