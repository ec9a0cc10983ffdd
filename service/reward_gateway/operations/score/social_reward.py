"""Social Reward: what a community re-uses, as the cosine of a fine-tuned CLIP."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..hosted import ask_model, image_bytes, samples
from ..names import HostedReward
from ..numerics import cosine
from ..outcome import ItemError, Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Social Reward: Evaluating and Enhancing Generative AI through Million-User Feedback",
    "https://github.com/Picsart-AI-Research/Social-Reward",
)


class Params(OperationParams):
    model: HostedReward = Field("social_reward", description="Hosted image-text model that scores prompt and image.")


class Item(OperationItem):
    prompt: str | None = Field(
        None, description="Prompt of the image, for the hosted model where there are no embeddings."
    )
    image_b64: str | None = Field(None, description="Generated image in base64, for the hosted model.")
    text_embedding: list[float] | None = Field(
        None, description="Embedding of the prompt, not of length 0. If omitted: the hosted model is asked."
    )
    image_embedding: list[float] | None = Field(None, description="Embedding of the image, as long as text_embedding.")


@operation("score", "social_reward", item=Item, params=Params, source=SOURCE, fidelity="verified")
def social_reward(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Community preference for a generated image: cosine of text and image embeddings.

    r = <t / ‖t‖, v / ‖v‖> in [-1, 1], without CLIP's logit scale. Give `text_embedding` and `image_embedding`, or
    `prompt` and `image_b64`, which the hosted model scores (the paper's is CLIP ViT-L/14, fine-tuned on which images
    users remix; its weights are not published, so the model's card says which stand-in answers).

    Embeddings of unequal length, or of length 0, are an item error; so is an item with neither pair. Details:
    `model_version` where a hosted model answered.
    """
    text, image = columns.objects("text_embedding"), columns.objects("image_embedding")
    prompts, pictures = columns.objects("prompt"), columns.objects("image_b64")
    reward = np.full(columns.size, np.nan)
    invalid: dict[int, Invalid] = {}
    asked: list[int] = []
    data: list[bytes] = []
    for i in range(columns.size):
        try:
            if text[i] is not None and image[i] is not None:
                reward[i] = cosine(text[i], image[i], ("text_embedding", "image_embedding"))
            elif prompts[i] is not None and pictures[i] is not None:
                data.append(image_bytes(pictures[i]))
                asked.append(i)
            else:
                raise ItemError("give text_embedding and image_embedding, or prompt and image_b64")
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    batch = samples(len(asked), prompts=[prompts[i] for i in asked], images=data)
    answer = yield from ask_model(params.model, batch, asked, columns.size)
    reward[asked] = answer.values[asked, 0]
    details: dict[str, Sequence[Any]] = (
        {"model_version": [answer.version if i in asked else None for i in range(columns.size)]} if asked else {}
    )
    return Outcome(reward=reward, details=details, invalid=invalid | answer.invalid, flags=answer.flags)
