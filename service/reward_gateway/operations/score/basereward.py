"""BaseReward: a multimodal reward model, with text-only items sent to a text model where one is named."""

from typing import Any

from pydantic import Field

from ..columns import Columns
from ..combine.ensemble import SOURCE
from ..effects import Effectful
from ..multimodal import score_hosted
from ..names import HostedReward
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    model: HostedReward = Field("basereward", description="Hosted multimodal reward model.")
    text_model: HostedReward | None = Field(
        None, description="Hosted model for items without images; the same one if not said."
    )


class Item(OperationItem):
    messages: list[dict[str, Any]] | None = Field(
        None, description="Chat messages, the last one the assistant's. If omitted: `prompt` and `response`."
    )
    prompt: str | None = Field(None, description="Prompt, in place of `messages`.")
    response: str | None = Field(None, description="Answer to score, in place of the last message.")
    images_b64: list[str] | None = Field(
        None, description="Images in base64, in the order in which they are referred to. If omitted: none."
    )
    score: float | None = Field(None, description="Reward that is known already; the hosted model is not asked.")


@operation("score", "basereward", item=Item, params=Params, source=SOURCE, fidelity="second-hand")
def basereward(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Unbounded reward of an answer, by a multimodal reward model.

    r(y | x), the head of a hosted model (published: Qwen2.5-VL-7B with a two-layer SiLU head, trained by −log σ of the
    pair's margin). Differences have a meaning, P(a ≻ b) = σ(r_a − r_b); the scale has none, so pass it through
    `transform/par` or `transform/log_sigmoid` before mixing. Members of an ensemble are averaged by
    `combine/ensemble`.

    Give `messages` (the last one the assistant's), or `prompt` and `response`, with `images_b64` in order. A message
    that refers to an image that is not given is an item error, never a text-only score. Details: `model_version`.
    """
    route = {True: params.model, False: params.text_model or params.model}
    return (yield from score_hosted(columns, list(Item.model_fields), route))
