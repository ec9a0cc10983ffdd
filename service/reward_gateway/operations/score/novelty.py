"""Novelty search (TAXONS): how far a behaviour lies from what was seen before."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import Cost
from ..effects import AppendToArchive, Effectful, ReadArchive, perform
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("TAXONS: sparse rewards through quality-diversity", "https://github.com/GPaolo/taxons")

TOP = 5


class Params(OperationParams):
    k: int = Field(15, ge=1, description="Nearest neighbours; all, where there are fewer.")
    add: Literal["top5", "all", "none"] = Field("top5", description="Which of the request's items join the archive.")
    archive: str | None = Field(None, min_length=1, description="Name of the archive, where an item gives none.")


class Item(OperationItem):
    descriptor: list[float] = Field(description="Behaviour descriptor, of the length of the others in its archive.")
    archive: str | None = Field(None, description="Name of the archive. If omitted: that of the params.")
    observation: list[float] | None = Field(
        None, description="Observation, for the surprise; as long as `reconstruction`. If omitted: no surprise."
    )
    reconstruction: list[float] | None = Field(
        None, description="What the model made of the observation. If omitted: no surprise."
    )


def novelty_of(point: FloatArray, others: FloatArray, k: int) -> float:
    """Mean distance to the k nearest of ``others`` [m, d]; 0 where there are none."""
    if not len(others):
        return 0.0
    distances = np.sort(np.sqrt(((others - point) ** 2).sum(axis=1)))
    return float(distances[:k].mean())


@operation(
    "score",
    "novelty",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    stateful=True,
    cost=Cost(row=500.0, pairs=0.02),
)
def novelty(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Mean distance of a behaviour descriptor to its k nearest neighbours.

    novelty(x) = (1/k) Σ_(i ≤ k) ‖x − x_i‖ over the nearest in archive ∪ population, without x itself; k = 15, or all
    if there are fewer; 0 if there is none (our choice). The items of one request on one archive are the population;
    an equal descriptor of another item counts, at distance 0. Afterwards the 5 most novel of them join the archive
    (`add`: top5, all or none), atomically, so that the answer depends on what was asked before and is never cached.

    Descriptors of one archive are of one length; one of another is an item error. Details: `neighbours` (how many
    there were), `added`, and `surprise` = ‖observation − reconstruction‖² where an item gives both.
    """
    points, names = columns.vectors("descriptor"), columns.objects("archive")
    invalid: dict[int, Invalid] = {}
    members: dict[str, list[int]] = {}
    for i in range(columns.size):
        name = names[i] or params.archive
        if name is None:
            invalid[i] = Invalid("missing_field", "name the archive in the item or in params.archive", param="archive")
        else:
            members.setdefault(name, []).append(i)
    reward = np.full(columns.size, np.nan)
    neighbours: list[int | None] = [None] * columns.size
    added = [False] * columns.size
    for name, rows in members.items():
        archive: FloatArray = yield from perform(ReadArchive(name))
        rows = _of_one_length(rows, points, archive, invalid)
        population = np.array([points[i] for i in rows], dtype=np.float64)
        for place, i in enumerate(rows):
            others = np.delete(population, place, axis=0)
            pool = np.concatenate([archive, others]) if len(archive) else others
            reward[i] = novelty_of(population[place], pool, params.k)
            neighbours[i] = len(pool)
        chosen = sorted(range(len(rows)), key=lambda place: -reward[rows[place]])
        chosen = sorted({"top5": chosen[:TOP], "all": chosen, "none": []}[params.add])
        for place in chosen:
            added[rows[place]] = True
        if chosen:
            yield from perform(AppendToArchive(name, population[chosen]))
    surprise, unequal = _reconstruction_errors(columns)
    return Outcome(
        reward=reward,
        details={"neighbours": neighbours, "added": added, "surprise": surprise},
        invalid=invalid | unequal,
    )


def _of_one_length(
    rows: list[int], points: list[FloatArray | None], archive: FloatArray, invalid: dict[int, Invalid]
) -> list[int]:
    """The rows whose descriptor fits the archive, or the first of the request where the archive is empty."""
    kept: list[int] = []
    length = archive.shape[1] if len(archive) else 0
    for i in rows:
        point = points[i]
        if point is None or not len(point):
            invalid[i] = invalid_field("the descriptor is empty", "descriptor")
        elif len(point) != (length or len(point)):
            invalid[i] = invalid_field(f"descriptors of this archive have {length} numbers", "descriptor")
        else:
            length = len(point)
            kept.append(i)
    return kept


def _reconstruction_errors(columns: Columns) -> tuple[list[float | None], dict[int, Invalid]]:
    """Reconstruction errors, and the rows whose reconstruction does not fit."""
    seen, rebuilt = columns.vectors("observation"), columns.vectors("reconstruction")
    errors: list[float | None] = []
    invalid: dict[int, Invalid] = {}
    for i, (a, b) in enumerate(zip(seen, rebuilt, strict=True)):
        errors.append(None if a is None or b is None or len(a) != len(b) else float(((a - b) ** 2).sum()))
        if a is not None and b is not None and len(a) != len(b):
            invalid[i] = invalid_field("observation and reconstruction must be of one length", "reconstruction")
    return errors, invalid
