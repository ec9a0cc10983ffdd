"""InternLM-XComposer2.5-Reward: a hosted multimodal reward model."""

from collections.abc import Generator
from typing import Any

from pydantic import Field

from ..columns import Columns
from ..multimodal import score_hosted
from ..needs import Need
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation
from .rank import SOURCE


class Params(OperationParams):
    model: str = Field("ixc_reward", description="Hosted reward model.")


class Item(OperationItem):
    chat: list[dict[str, Any]] | None = None
    prompt: str | None = None
    response: str | None = None
    images_b64: list[str] | None = None
    score: float | None = None


@operation("score", "ixc_reward", item=Item, params=Params, source=SOURCE, fidelity="verified")
def ixc_reward(columns: Columns, params: Params) -> Generator[Need, Any, Outcome]:
    """Unbounded reward of a chat's last answer, with images.

    A hosted model whose head reads the mean of all tokens' hidden states, trained by −log σ(r_c − r_r). Only
    differences between answers to one prompt have a meaning: pass it through `transform/par` or
    `transform/log_sigmoid` before mixing; `score/rank` gives best-of-N.

    Give `chat` (the last message the assistant's), or `prompt` and `response`, with `images_b64`, whose order matters.
    A message that refers to an image that is not given is the item's error. Details: `model_version`.
    """
    route = {True: params.model, False: params.model}
    return (yield from score_hosted(columns, list(Item.model_fields), route))
