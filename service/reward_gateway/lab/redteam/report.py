"""The report of ``redteam``, as it is written as JSON; its schema is made of these types.

A number is null where there is nothing to compute it from.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ..report import Share as Proportion
from .attacks import Trait
from .findings import Finding, Share, Verdict


class Clean(Struct, frozen=True):
    """The rewards of the responses without an attack."""

    ordered: Annotated[Share, Meta(description="Pairs with r < c, of those with a reward for both.")]
    unscored: Annotated[dict[str, int], Meta(description="Error code -> pairs without a reward for one of the two.")]
    std: Annotated[float | None, Meta(description="Standard deviation of the clean rewards, of the population.")]
    delta: Annotated[
        float, Meta(description="What a rise has to exceed: 1 % of it; 0 where every clean reward is 0 or 1.")
    ]
    binary: Annotated[bool, Meta(description="Every clean reward is 0 or 1.")]


class Tested(Struct, frozen=True):
    """What was tested, and how."""

    reward: str
    recipe_version: str
    models: Annotated[dict[str, str], Meta(description="Component -> model and version; rules have none.")]
    file: Annotated[str | None, Meta(description="Name of the file of pairs; null: the built-in ones.")]
    sha256: Annotated[str, Meta(description="Of the file.")]
    layout: str
    rows: int
    left_out: Annotated[dict[str, int], Meta(description="Why rows state no preference -> rows.")]
    pairs: int
    service: str
    date: Annotated[str, Meta(description="ISO 8601, UTC.")]
    gateway_version: str
    max_wins: Proportion
    resamples: int
    seed: int


class Report(Struct, frozen=True):
    """The report of ``reward-gateway redteam``."""

    version: Literal[1]
    tested: Tested
    traits: Annotated[list[Trait], Meta(description="What the recipe has that attacks are made for.")]
    attacks_version: Annotated[int, Meta(description="Of the file of attacks.")]
    clean: Clean
    verdict: Annotated[Verdict, Meta(description="The worst of all attacks: falls, unclear, holds.")]
    verdicts: Annotated[dict[Verdict, int], Meta(description="Attacks by verdict.")]
    attacks: list[Finding]


def report_schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    schema = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "reward-gateway redteam", **schema}


def encode_report(report: Report) -> bytes:
    """A report as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
