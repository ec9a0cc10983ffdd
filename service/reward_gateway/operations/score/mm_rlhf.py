"""MM-RLHF's critique-based reward model: first a critique in words, then a number for the answer with the critique."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful
from ..hosted import ask_model
from ..judged import JudgeQuestion, ask_judge, find_injections
from ..media import user_message
from ..multimodal import batch_of, exchange, images_of
from ..names import HostedReward, JudgeName
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..registry import OperationItem, OperationParams, operation
from ..time_limits import name_problem, tell_limits
from ..transform.mmrlhf_beta import SOURCE


class Params(OperationParams):
    judge: JudgeName = Field("mm_rlhf", description="Configured judge that writes critiques.")
    model: HostedReward = Field("mm_rlhf", description="Hosted reward head over the answer and its critique.")
    num_critic: int = Field(1, ge=1, le=16, description="Critiques an answer; their scores are averaged.")


class Item(OperationItem):
    question: str | None = Field(
        None, description="Question about the image. If omitted: the item has to give `scores`."
    )
    image_b64: str | None = Field(None, description="Image in base64. If omitted: the item has to give `scores`.")
    response: str | None = Field(None, description="Answer to score. If omitted: the item has to give `scores`.")
    critique: str | None = Field(None, description="Critique of the answer. If omitted: the judge writes it.")
    scores: list[float] | None = Field(
        None, description="The head's scores of critiques, averaged; nothing is then asked."
    )


@operation("score", "mm_rlhf", item=Item, params=Params, source=SOURCE, fidelity="second-hand")
def mm_rlhf(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Reward of an answer about an image, read from a critique of it.

    A judge writes `num_critic` critiques (greedily, so that the score is the same each time); the hosted head scores
    question, image, answer and critique; the reward is the mean over critiques. Give `question`, `image_b64` and
    `response`; or also the `critique`; or the `scores` of critiques, which are averaged. A missing image is the item's
    error, and so is a critique that could not be had. Details: `critique`, `scores`. For the strength of a preference
    pair from two rewards see `transform/mmrlhf_beta`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    invalid: dict[int, Invalid] = {}
    scores: list[list[float] | None] = [list(own) if own is not None else None for own in fields["scores"]]
    asked: dict[int, JudgeQuestion] = {}
    owners: list[int] = []
    rows: dict[int, tuple[Any, str, list[bytes]]] = {}
    critiques: dict[int, list[str]] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        try:
            if row["scores"] is not None:
                if not len(row["scores"]):
                    raise ItemError("scores must not be empty", param="scores")
                continue
            asks, response = exchange(row)
            images = images_of(row)
            if not images:
                raise ItemError("this model scores images, and the item has none", param="image_b64")
            rows[i] = (asks, response, images)
            if row["critique"] is not None:
                critiques[i] = [row["critique"]]
                continue
            critic = _build_question(asks, response, images)
            for _ in range(params.num_critic):
                asked[len(owners)] = critic
                owners.append(i)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    judged = yield from ask_judge(params.judge, asked, str)
    for number, i in enumerate(owners):
        if number in judged.values:
            critiques.setdefault(i, []).append(judged.values[number])
        else:
            invalid[i] = judged.invalid[number]
    kept = [(i, text) for i, texts in critiques.items() if i not in invalid for text in texts]
    batch = batch_of([(rows[i][0], f"{rows[i][1]}\n\n{text}", rows[i][2]) for i, text in kept])
    answer = yield from ask_model(params.model, batch, range(len(kept)), len(kept))
    for place, (i, _) in enumerate(kept):
        if place in answer.invalid:
            invalid[i] = answer.invalid[place]
        else:
            scores[i] = [*(scores[i] or []), float(answer.values[place, 0])]
    details: dict[str, Sequence[Any]] = {
        "critique": ["\n\n".join(critiques[i]) if i in critiques else None for i in range(columns.size)],
        "scores": scores,
        **tell_limits(columns.size, judged.limits_of(owners)),
    }
    flags = find_injections(fields["response"])
    return Outcome(reward=_mean_scores(scores), details=details, invalid=invalid, flags=flags)


def _build_question(asks: str, response: str, images: Sequence[bytes]) -> JudgeQuestion:
    """The question about an answer, whose problem is the question about the images."""
    worded = question("critique", {"question": asks, "response": response})
    (message,) = worded.conversation
    shown = [hashlib.blake2b(image).hexdigest() for image in images]
    return JudgeQuestion([user_message(message["content"], images)], name_problem(worded.problem, shown))


def _mean_scores(scores: list[list[float] | None]) -> FloatArray:
    return np.array([float(np.mean(own)) if own else np.nan for own in scores])
