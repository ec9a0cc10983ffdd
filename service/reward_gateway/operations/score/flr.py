"""FLR: a reply is as good as the follow-ups it makes likely."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample.tool_calls import calls_text

from ..columns import Columns
from ..effects import Effectful
from ..hosted_logprobs import HostedLogprobs
from ..names import HostedModel
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "FLR: Follow-up Likelihood as Reward (Aligning Language Models Using Follow-up Likelihood as Reward Signal)",
    "https://arxiv.org/abs/2409.13948",
)

FOLLOW_UPS: dict[str, dict[str, list[str]]] = {
    "understanding": {
        "positive": ["Yes, that is exactly what I was asking.", "You got my point.", "Right, you see what I need."],
        "negative": [
            "That is not my question at all.",
            "You misread what I wrote.",
            "No, I was asking something else.",
        ],
    },
    "relevance": {
        "positive": ["Good, this is right on topic.", "That speaks to my case.", "This is just what matters here."],
        "negative": ["What has that to do with it?", "You have wandered off the topic.", "None of this matters here."],
    },
    "correctness": {
        "positive": ["I checked, and it is correct.", "Yes, that is true.", "The facts are right, thanks."],
        "negative": ["I checked, and that is wrong.", "No, that is false.", "You have the facts wrong."],
    },
    "engagingness": {
        "positive": ["How interesting, tell me more!", "I love talking about this.", "Now I am curious, go on."],
        "negative": ["This is boring.", "I do not feel like going on.", "Never mind, let us stop here."],
    },
    "informativeness": {
        "positive": ["I learned a lot from that.", "Thanks, that is plenty of detail.", "That told me what I needed."],
        "negative": ["That tells me nothing new.", "You left out the details.", "I know no more than before."],
    },
    "following": {
        "positive": ["You did just what I asked.", "That is the format I wanted.", "You kept to all my instructions."],
        "negative": [
            "You did not do what I asked.",
            "That is not the format I wanted.",
            "You ignored my instructions.",
        ],
    },
}
"""Follow-ups of this project, by category; the paper has ten of each kind."""


class Params(OperationParams):
    model: HostedModel = Field("language_model", description="Hosted language model, where the item holds messages.")
    follow_ups: dict[str, dict[str, list[str]]] | None = Field(
        None, description="Category -> positive, negative -> user turns, in place of the built-in ones."
    )


class Item(OperationItem):
    messages: list[dict[str, Any]] | None = Field(None, description="The dialogue, ending in the reply to judge.")
    pos_logprobs: dict[str, list[float]] | None = Field(
        None, description="Category -> length-normalised log-likelihood of each positive follow-up."
    )
    neg_logprobs: dict[str, list[float]] | None = Field(None, description="The same for the negative follow-ups.")


def transcript(messages: Sequence[Mapping[str, Any]]) -> str:
    """A dialogue as plain text, open for the user's next turn."""
    lines = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
        said = "\n".join(filter(None, (content, calls_text(message.get("tool_calls")))))
        lines.append(f"{str(message.get('role', 'user')).capitalize()}: {said}")
    return "\n".join([*lines, "User:"])


@operation("score", "flr", item=Item, params=Params, source=SOURCE, fidelity="recalled")
def flr(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Helpfulness of a reply by the likelihood of the user's follow-ups.

    r_c = mean over positive follow-ups of s(f) − mean over negative ones, a category; reward = mean over categories.
    s(f) is the mean log-probability of the follow-up's tokens after context and reply. Give `pos_logprobs` and
    `neg_logprobs` by category; or `messages`, and the hosted language model reads six categories of follow-ups
    (understanding, relevance, correctness, engagingness, informativeness, following).

    Proper token log-probabilities are used. The released script instead averages raw logits of one position, which is
    no likelihood; it is not offered. Scores compare only within one model and one set of follow-ups.

    A category on one side only, a side without follow-ups, or no category: an item error. Details: `categories`.
    """
    items = columns.rows(Item.model_fields)
    hosted = HostedLogprobs()
    yield from _ask_log_likelihoods(items, params, hosted)

    def compute_row(i: int) -> Row:
        positive, negative = items[i]["pos_logprobs"], items[i]["neg_logprobs"]
        if positive is None or negative is None:
            raise ItemError("give pos_logprobs and neg_logprobs, or messages")
        if not positive or positive.keys() != negative.keys():
            raise ItemError("pos_logprobs and neg_logprobs must name the same categories, at least one")
        categories: dict[str, float] = {}
        for name in positive:
            if len(positive[name]) == 0 or len(negative[name]) == 0:
                raise ItemError(f"the category {name!r} needs follow-ups on both sides")
            categories[name] = float(np.mean(positive[name]) - np.mean(negative[name]))
        return Row(reward=float(np.mean(list(categories.values()))), details={"categories": categories})

    return hosted.mark(by_row(columns.size, compute_row))


def _ask_log_likelihoods(items: list[dict[str, Any]], params: Params, hosted: HostedLogprobs) -> Effectful[None]:
    """Fill in the log-likelihoods of the items that came as messages, all in one question to the model."""
    rows = [i for i, item in enumerate(items) if item["pos_logprobs"] is None and item["messages"]]
    asked = [
        (i, side, category, text)
        for i in rows
        for category, sides in (params.follow_ups or FOLLOW_UPS).items()
        for side in ("positive", "negative")
        for text in sides.get(side, [])
    ]
    contexts = {i: transcript(items[i]["messages"]) for i in rows}
    pairs = [(i, contexts[i], f" {text}") for i, *_, text in asked]
    answers = yield from hosted.ask(pairs, params.model)
    for i in (row for row in rows if row not in hosted.invalid):
        names = params.follow_ups or FOLLOW_UPS
        items[i]["pos_logprobs"] = {name: [] for name in names}
        items[i]["neg_logprobs"] = {name: [] for name in names}
    for (i, side, category, _), tokens in zip(asked, answers, strict=True):
        field = "pos_logprobs" if side == "positive" else "neg_logprobs"
        if tokens is not None:
            items[i][field][category].append(float(np.mean(tokens)))
