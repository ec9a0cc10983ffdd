"""The hinge loss that keeps Adv-GRPO's discriminator honest."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..score.adv_dino import SOURCE


class Params(OperationParams):
    patch_weight: float = Field(0.3, ge=0, description="Weight of the loss on patches.")


class Item(OperationItem):
    real: list[float] = Field(description="The head's scores of reference images.")
    fake: list[float] = Field(description="Its scores of generated images.")
    real_patches: list[float] | None = Field(
        None,
        description="The head's scores of patches of reference images; left out, with fake_patches: no patch loss.",
    )
    fake_patches: list[float] | None = Field(
        None, description="The head's scores of patches of generated images; both kinds of patches, or neither."
    )


def hinge(real: FloatArray, fake: FloatArray) -> float:
    """Half the sum of mean max(0, 1 − h(real)) and mean max(0, 1 + h(fake))."""
    return float(0.5 * (np.maximum(0.0, 1.0 - real).mean() + np.maximum(0.0, 1.0 + fake).mean()))


@operation("audit", "discriminator_loss", item=Item, params=Params, source=SOURCE, fidelity="verified")
def discriminator_loss(columns: Columns, params: Params) -> Outcome:
    """Loss and accuracy of a discriminator that serves as a reward.

    L = ½ [mean max(0, 1 − h(real)) + mean max(0, 1 + h(fake))] on whole images, + .3 · the same on patches where both
    kinds are given. Lower is better; a reward whose discriminator has lost (accuracy near .5) says nothing.

    No real or no fake scores, or patches of one kind only: an item error. Details: `accuracy` (share of whole images
    with the right sign; 0 is wrong), `image_loss`, `patch_loss` (null without patches).
    """
    vectors = {name: columns.vectors(name) for name in ("real", "fake", "real_patches", "fake_patches")}

    def compute_row(i: int) -> Row:
        real, fake, real_patches, fake_patches = (vectors[name][i] for name in vectors)
        if real is None or fake is None or not len(real) or not len(fake):
            raise ItemError("real and fake must hold at least one score each")
        image_loss, patch_loss = hinge(real, fake), None
        if real_patches is not None or fake_patches is not None:
            if real_patches is None or fake_patches is None or not len(real_patches) or not len(fake_patches):
                raise ItemError("give patches of both kinds, or of neither")
            patch_loss = hinge(real_patches, fake_patches)
        right = int((real > 0).sum()) + int((fake < 0).sum())
        return Row(
            reward=image_loss + params.patch_weight * (patch_loss or 0.0),
            details={
                "accuracy": right / (len(real) + len(fake)),
                "image_loss": image_loss,
                "patch_loss": patch_loss,
            },
        )

    return by_row(columns.size, compute_row)
