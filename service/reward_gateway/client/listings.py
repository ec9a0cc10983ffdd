"""The addresses of listings that have a query."""

from typing import Literal
from urllib.parse import quote, urlencode

Bucket = Literal["minute", "hour", "step"]

PAGE = 1000
"""Runs of a page."""


def runs_listing(cursor: str, tenant: str | None) -> str:
    """A page of runs; the first if ``cursor`` is empty."""
    return f"runs?{_encode_query(limit=PAGE, cursor=cursor or None, tenant=tenant)}"


def run_listing(name: str, bucket: Bucket, after: int | None, tenant: str | None) -> str:
    """The history of a run."""
    return f"runs/{quote(name, safe='')}?{_encode_query(bucket=bucket, after=after, tenant=tenant)}"


def _encode_query(**named: str | int | None) -> str:
    return urlencode({name: value for name, value in named.items() if value is not None})
