"""The body of ``POST /v1/score``, as types: decoding checks it, and the OpenAPI page is generated from it.

An optional field that is null reads as one that is missing.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from reward_gateway.recipes.chat_formats import RequestChatFormat
from reward_gateway.sample.fields import SampleItem as SampleItem


class Options(Struct, forbid_unknown_fields=True):
    """How the request wants to be answered."""

    on_invalid: Literal["null", "fail", "default"] | None = None
    default_reward: float | None = None
    cache: Literal["use", "refresh", "off"] | None = None
    explain: bool | None = None
    deadline_ms: Annotated[float, Meta(description="Milliseconds; positive.")] | None = None
    chat_format: (
        Annotated[
            RequestChatFormat,
            Meta(
                description="Prompts and responses are texts that a chat template rendered: read them back into "
                "messages, by the format that is named, found by its marks (auto), or named by the recipe (recipe). "
                "Without it they are taken as they are."
            ),
        ]
        | None
    ) = None


RewardName = Annotated[str, Meta(description="Name of a recipe; else ?reward=, model, the default.")]
ModelName = Annotated[str, Meta(description="Recipe, alias or served model; read where nothing else names a recipe.")]


class ScoreRequest(Struct, forbid_unknown_fields=True):
    """Samples to score by a recipe."""

    samples: list[SampleItem]
    reward: RewardName | None = None
    model: ModelName | None = None
    options: Options | None = None


class ApplyRequest(Struct, forbid_unknown_fields=True):
    """Items for one operation."""

    items: list[Any]
    params: dict[str, Any] | None = None
