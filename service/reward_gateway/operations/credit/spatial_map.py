"""SRUM: a model's own judgement of its picture, as a weight for every cell of the latent."""

from typing import Any, Literal

import numpy as np
from pydantic import Field, create_model

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("SRUM: Fine-Grained Self-Rewarding for Unified Multimodal Models", "https://arxiv.org/abs/2510.12784")

LARGEST = 1024 * 1024
"""Most cells of a map."""


class Params(OperationParams):
    variant: Literal["paper", "released"] = Field("paper", description="paper: signed scores. released: never below ½.")
    background: float | None = Field(
        None, ge=-1, le=1, description="Weight of a cell that no box covers, before the global factor. Default ½."
    )
    overlap: Literal["last", "max"] | None = Field(
        None,
        description="Which box wins where two overlap: the last, or that of the greatest weight. Default max in "
        "`released`, last in `paper`.",
    )

    @property
    def keeps_greatest(self) -> bool:
        """Where boxes overlap the greatest weight wins."""
        return (self.overlap or ("max" if self.variant == "released" else "last")) == "max"


class Region(OperationItem):
    bbox: list[float] = Field(
        description="[x0, y0, x1, y1] in cells, far edges excluded; clamped to the map, skipped where empty."
    )
    score: float = Field(description="Local score of the box, in [−1, 1].")


# "global" is a keyword of the language, so that the class cannot be written out.
_FIELDS: dict[str, Any] = {
    "global": (float | None, Field(None, description="Score of the whole image, in [−1, 1]; if omitted: 0.")),
    "regions": (
        list[Region],
        Field(default_factory=list, description="Scored boxes; if omitted: none, all is background."),
    ),
    "shape": (list[int], Field(description="[height, width] of the map in cells, at most a million of them.")),
}
Item = create_model("Item", __base__=OperationItem, **_FIELDS)


@operation("credit", "spatial_map", item=Item, params=Params, source=SOURCE, fidelity="verified", returns="vector")
def spatial_map(columns: Columns, params: Params) -> Outcome:
    """Weights of a latent's cells from a global score and scored boxes.

    With α = (global + 1) / 2: inside a box of score s the weight is α·s (variant `paper`, default, so it may be
    negative) or α·max(½, (s + 1) / 2) (variant `released`); outside all boxes α·background, ½ unless given (the
    released code's value; the paper names none). `shape` is [height, width], `bbox` [x0, y0, x1, y1] in cells, the
    far edges excluded, fractions cut off. Boxes are clamped to the map; an empty or malformed one is skipped and
    counted in `skipped`. Where boxes overlap the greatest weight wins in `released`, as in that code, and the last box
    in `paper`, which names no rule; `overlap` says otherwise. A missing global score counts as 0.

    A global or local score outside [−1, 1] or a map of no cells or over a million is an item error.
    `rewards`: [height][width].
    """
    globals_, regions, shapes = columns.floats("global", 0.0), columns.objects("regions"), columns.objects("shape")

    def compute_row(i: int) -> Row:
        shape = [int(side) for side in shapes[i]]
        if len(shape) != 2 or min(shape) < 1 or shape[0] * shape[1] > LARGEST:
            raise ItemError("shape is [height, width], at least 1 x 1 and at most a million cells", param="shape")
        score = float(globals_[i])
        if not -1 <= score <= 1:
            raise ItemError("the global score must lie in [-1, 1]", param="global")
        local, skipped = _build_local_map(shape, regions[i] or [], params)
        weights = local * (score + 1) / 2
        return Row(rewards=weights.tolist(), details={"skipped": skipped, "factor": (score + 1) / 2})

    return by_row(columns.size, compute_row)


def _build_local_map(shape: list[int], regions: Any, params: Params) -> tuple[FloatArray, int]:
    """The map before the global factor, and how many boxes were skipped."""
    height, width = shape
    local = np.full(shape, 0.5 if params.background is None else params.background)
    covered = np.zeros(shape, dtype=bool)
    skipped = 0
    for region in regions:
        score, box = float(entry(region, "score", 0.0)), entry(region, "bbox", ())
        if not -1 <= score <= 1:
            raise ItemError("the score of a region must lie in [-1, 1]", param="regions")
        if len(box) != 4:
            skipped += 1
            continue
        x0, y0, x1, y1 = (int(edge) for edge in box)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        if x0 >= x1 or y0 >= y1:
            skipped += 1
            continue
        weight = score if params.variant == "paper" else max(0.5, (score + 1) / 2)
        cells = local[y0:y1, x0:x1]
        seen = covered[y0:y1, x0:x1]
        cells[...] = np.where(seen, np.maximum(cells, weight), weight) if params.keeps_greatest else weight
        seen[...] = True
    return local, skipped
