"""PISCES: annotation-free rewards for text-to-video, from embeddings that were mapped to the video space."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import softmax

from reward_gateway.sample import Batch, Invalid

from ..columns import Columns
from ..effects import Effectful
from ..hosted import ask_model, image_bytes
from ..media import media_of
from ..names import HostedModel
from ..numerics import cosine
from ..outcome import ItemError, Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation
from .ot_alignment import SOURCE


class Params(OperationParams):
    model: HostedModel = Field(
        "pisces", description="Hosted model that answers [quality, semantic] for prompt and frames."
    )


class Item(OperationItem):
    text_cls: list[float] | None = Field(
        None, description="Text embedding, mapped to the video space; not of length 0."
    )
    video_cls: list[float] | None = Field(None, description="Embedding of the video, as long as `text_cls`.")
    vtm_logits: list[float] | None = Field(None, description="Logits of video–text matching, one a class.")
    match: int = Field(1, description="Place of the matching class in `vtm_logits`; if omitted: 1.")
    prompt: str | None = Field(
        None, description="Prompt of the video, for the hosted model where there are no embeddings."
    )
    frames_b64: list[str] | None = Field(None, description="Frames of the video in base64, in order.")
    video_b64: str | None = Field(None, description="Video in base64, in place of the frames.")


@operation("score", "pisces", item=Item, params=Params, source=SOURCE, fidelity="verified")
def pisces(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Quality and semantic reward of a generated video, added.

    R = R_quality + R_semantic. R_quality = cos(T*(text CLS), video CLS) in [−1, 1], T* the neural optimal transport
    map: give the mapped text embedding as `text_cls`. R_semantic = softmax(video–text-matching logits)[match] in
    [0, 1], over video features that `score/ot_alignment`'s attention weighs: give `vtm_logits`, `match` the place of
    the matching class (1).

    Or give `prompt` and `frames_b64` (or `video_b64`), which the hosted model scores. An embedding of length 0 or
    neither input is an item error. Details: `quality`, `semantic`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    quality, semantic = np.full(columns.size, np.nan), np.full(columns.size, np.nan)
    invalid: dict[int, Invalid] = {}
    asked: list[int] = []
    frames: list[list[bytes]] = []
    for i in range(columns.size):
        try:
            if fields["text_cls"][i] is not None and fields["video_cls"][i] is not None:
                quality[i] = cosine(fields["text_cls"][i], fields["video_cls"][i], ("text_cls", "video_cls"))
                semantic[i] = _match_probability(fields["vtm_logits"][i], fields["match"][i])
            elif fields["prompt"][i] is not None:
                given = fields["frames_b64"][i] or [fields["video_b64"][i]]
                frames.append([image_bytes(frame or "") for frame in given])
                asked.append(i)
            else:
                raise ItemError("give text_cls, video_cls and vtm_logits, or prompt and frames_b64")
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    batch = Batch(
        ids=[str(i) for i in asked],
        prompts=[fields["prompt"][i] for i in asked],
        responses=[""] * len(asked),
        frames=[media_of(each) for each in frames],
    )
    answer = yield from ask_model(params.model, batch, asked, columns.size, single=False)
    if asked and answer.values.shape[1] < 2:
        reason = Invalid("model_error", "the hosted model must answer two numbers: quality and semantic")
        invalid |= dict.fromkeys(asked, reason)
    elif asked:
        quality[asked], semantic[asked] = answer.values[asked, 0], answer.values[asked, 1]
    details: dict[str, Sequence[Any]] = {"quality": quality.tolist(), "semantic": semantic.tolist()}
    return Outcome(quality + semantic, details=details, invalid=invalid | answer.invalid, flags=answer.flags)


def _match_probability(logits: Any, match: int) -> float:
    if logits is None or not 0 <= match < len(logits):
        raise ItemError("vtm_logits must hold the logit of the matching class", param="vtm_logits")
    return float(softmax(np.asarray(logits, dtype=np.float64))[match])
