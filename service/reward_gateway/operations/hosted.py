"""Rows that a hosted model scores beside rows whose numbers the caller gave."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from reward_gateway.sample import Batch, FloatArray, Invalid, Media, RawScores
from reward_gateway.sample.base64_text import decode_base64

from .effects import Effectful, ScoreWithModel, perform
from .outcome import ItemError


@dataclass(slots=True)
class HostedAnswer:
    """What the model said, laid over all rows of the operation: [n, K] with NaN where it was not asked."""

    values: FloatArray
    version: str = ""
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)


def ask_model(
    model: str, batch: Batch, rows: Sequence[int], size: int, *, single: bool = True
) -> Effectful[HostedAnswer]:
    """Score ``batch``, whose k-th sample is row ``rows[k]`` of the operation's ``size`` rows. No rows: nobody is asked.

    Args:
        single: the operation reads one number. Of a model that gives several none is taken: each row is invalid.

    Raises:
        GatewayError: at the yield, if the model cannot be asked at all.
    """
    if not rows:
        return HostedAnswer(np.full((size, 1), np.nan))
    scores: RawScores = yield from perform(ScoreWithModel(model, batch))
    answer = HostedAnswer(np.full((size, scores.values.shape[1]), np.nan), scores.version)
    answer.invalid = {rows[k]: reason for k, reason in scores.invalid.items()}
    if single and (width := scores.values.shape[1]) > 1:
        several = Invalid(
            "model_error", f"{model} gives {width} numbers, of which none is named: use a model of one number"
        )
        answer.invalid = dict.fromkeys(rows, several) | answer.invalid
        return answer
    answer.values[list(rows)] = scores.values
    answer.flags = {rows[k]: flags for k, flags in scores.flags.items()}
    return answer


def samples(
    size: int,
    *,
    prompts: Sequence[str | None] | None = None,
    responses: Sequence[str | None] | None = None,
    images: Sequence[bytes] | None = None,
) -> Batch:
    """A batch for a model, from the columns that the model reads."""
    return Batch(
        ids=[str(i) for i in range(size)],
        prompts=[prompt or "" for prompt in prompts] if prompts is not None else [""] * size,
        responses=list(responses) if responses is not None else [""] * size,
        images=[[Media(data=data)] for data in images] if images is not None else None,
    )


def image_bytes(text: str) -> bytes:
    """The bytes of a base64 image, with or without a ``data:`` head.

    Raises:
        ItemError: it is not base64, or it is empty.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = decode_base64(text)
    except ValueError:
        raise ItemError("image_b64 is not base64") from None
    if not data:
        raise ItemError("image_b64 is empty")
    return data
