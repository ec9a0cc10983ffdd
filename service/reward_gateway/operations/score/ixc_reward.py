"""InternLM-XComposer2.5-Reward: a hosted multimodal reward model."""

from typing import Any

from pydantic import Field

from ..columns import Columns
from ..effects import Effectful
from ..multimodal import score_hosted
from ..names import HostedReward
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation
from .rank import SOURCE


class Params(OperationParams):
    model: HostedReward = Field("ixc_reward", description="Hosted reward model.")


class Item(OperationItem):
    chat: list[dict[str, Any]] | None = Field(
        None, description="Chat messages, the last one the assistant's. If omitted: `prompt` and `response`."
    )
    prompt: str | None = Field(None, description="Prompt, in place of `chat`.")
    response: str | None = Field(None, description="Answer to score, in place of the last message.")
    images_b64: list[str] | None = Field(None, description="Images in base64; their order matters. If omitted: none.")
    score: float | None = Field(None, description="Reward that is known already; the hosted model is not asked.")


@operation("score", "ixc_reward", item=Item, params=Params, source=SOURCE, fidelity="verified")
def ixc_reward(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Unbounded reward of a chat's last answer, with images.

    A hosted model whose head reads the mean of all tokens' hidden states, trained by −log σ(r_c − r_r). Only
    differences between answers to one prompt have a meaning: pass it through `transform/par` or
    `transform/log_sigmoid` before mixing; `score/rank` gives best-of-N.

    Give `chat` (the last message the assistant's), or `prompt` and `response`, with `images_b64`, whose order matters.
    A message that refers to an image that is not given is an item error. Details: `model_version`.
    """
    route = {True: params.model, False: params.model}
    return (yield from score_hosted(columns, list(Item.model_fields), route))
