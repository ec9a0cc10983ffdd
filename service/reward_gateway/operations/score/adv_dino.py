"""Adv-GRPO: a discriminator on image features as the reward."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful
from ..hosted import ask_model, image_bytes, samples
from ..names import HostedModel
from ..outcome import ItemError, Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Adv-GRPO: The Image as Its Own Reward", "https://github.com/showlab/Adv-GRPO")


class Params(OperationParams):
    model: HostedModel = Field("adv_dino", description="Hosted discriminator.")
    head_version: str | None = Field(None, description="Version of its head: asked as the model NAME@VERSION.")
    patch_weight: float = Field(0.3, ge=0, le=1, description="Weight of the patches; the rest is the whole image's.")


class Item(OperationItem):
    cls: float | None = Field(None, description="The head's score of the whole image (class token).")
    patches: list[float] | None = Field(None, description="Its scores of patches.")
    image_b64: str | None = Field(
        None, description="Image in base64 for the hosted model, in place of `cls` and `patches`."
    )


@operation("score", "adv_dino", item=Item, params=Params, source=SOURCE, fidelity="verified")
def adv_dino(columns: Columns, params: Params) -> Effectful[Outcome]:
    """How real a discriminator finds an image, as a whole and in patches.

    r = .7 · h(cls) + .3 · mean of h(patch), h the discriminator's head on DINOv2 features of length 1, trained against
    the generator on reference images (the paper draws 64 patches; a hosted model takes all of them, so that an answer
    repeats and can be cached).

    Give `cls` and `patches`, or `image_b64` for the hosted model, whose score is [cls, mean of patches], or one number
    that is the reward. The version of a co-trained head is part of what is asked for and cached. No patches, or neither
    form: an item error. Details: `cls`, `patches` (their mean). The head's loss: `audit/discriminator_loss`.
    """
    whole, patches = columns.floats("cls"), Ragged.of_column(columns, "patches").mean()
    images = columns.objects("image_b64")
    invalid: dict[int, Invalid] = {}
    asked: list[int] = []
    data: list[bytes] = []
    for i in np.flatnonzero(np.isnan(whole) | np.isnan(patches)).tolist():
        try:
            if images[i] is None:
                raise ItemError("give cls and at least one of patches, or image_b64")
            data.append(image_bytes(images[i]))
            asked.append(i)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    name = params.model if params.head_version is None else f"{params.model}@{params.head_version}"
    answer = yield from ask_model(name, samples(len(asked), images=data), asked, columns.size, single=False)
    if asked:
        whole, patches = whole.copy(), patches.copy()
        whole[asked], patches[asked] = answer.values[asked, 0], answer.values[asked, -1]
    reward: FloatArray = (1.0 - params.patch_weight) * whole + params.patch_weight * patches
    return Outcome(
        reward=reward,
        details={"cls": whole.tolist(), "patches": patches.tolist()},
        invalid=invalid | answer.invalid,
        flags=answer.flags,
    )
