"""Images of the rows in which a component is computed, loaded when it is: those of skipped rows are not fetched."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from reward_gateway.operations.effects import Effectful, FetchMedia, perform
from reward_gateway.sample import Batch, Invalid
from reward_gateway.sample.fields import MEDIA

NOT_READ = Invalid("internal_error", "nothing reads the images of this sample")
"""Excludes a row from what is loaded; no sample has this reason in the end."""


def load_media(batch: Batch, fields: Collection[str], rows: Collection[int]) -> Effectful[Mapping[int, Invalid]]:
    """Load the images of some rows in those of the fields that hold images.

    Returns:
        The rows with an image that cannot be used, each with the reason.
    """
    names = [name for name in MEDIA if name in fields and batch.column(name)]
    if not names or not rows:
        return {}
    chosen = set(rows)
    left_out = {i: NOT_READ for i in range(batch.size) if i not in chosen}
    return (yield from perform(FetchMedia(names, replace(batch, invalid=left_out))))
