"""IGPO: a turn is worth what it adds to the policy's belief in the right answer."""

import math
import string
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..effects import Effectful
from ..hosted_logprobs import HostedLogprobs
from ..names import HostedModel
from ..numerics import return_to_go, split_as, standardized
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Information Gain-based Policy Optimization (IGPO)", "https://github.com/GuoqingWang1/IGPO")

SEPARATOR = "<|answer_split|>"
_TAGS = ("think", "tool_call", "code", "answer")
_BLANKS = str.maketrans(dict.fromkeys(string.punctuation, " "))
_LONG = 10
"""Turns above which the released code fills up a missing gain."""


class Params(OperationParams):
    gamma: float = Field(1.0, ge=0, le=1, description="Discount of the returns.")
    format_penalty: float = Field(
        -2.0, description="Reward of an answer whose tags are unbalanced or missing (0 in the repository's noformatf1)."
    )
    variant: Literal["paper", "released"] = Field(
        "paper",
        description="Of the advantage: paper z-scores all turn rewards of the group, then discounts; released takes "
        "returns less the group's mean at the same turn, to which a finished rollout adds 0. Of a number of gains that "
        "does not fit the turns: paper refuses, released pads or falls back.",
    )
    model: HostedModel = Field("language_model", description="Hosted language model, where the item holds texts.")
    answer_prefix: str = Field(
        "\n\nAnswer: ", description="Text between the turns so far and the gold answer (our choice)."
    )


class Item(OperationItem):
    gold_logprobs: list[list[float]] | None = Field(
        None, description="At each turn boundary 0 .. T−1, the log-probability of every token of the first gold answer."
    )
    prompt: str | None = Field(None, description="The question, where a hosted language model is to read the turns.")
    turn_texts: list[str] | None = Field(None, description="The T turns of the roll-out in their order, likewise.")
    response: str | None = Field(None, description="The whole roll-out, with its <answer>; the turns if not given.")
    gold: list[str] = Field(description="Gold answers; one may hold several, split by <|answer_split|>.")
    group: str | None = Field(None, description="The prompt; items without one belong together.")
    turns: int | None = Field(None, description="Number of turns, if the gains are to be checked against it.")


def balanced(text: str) -> bool:
    """True if every tag opens as often as it closes, and no opening is left without a later closing."""
    for tag in _TAGS:
        opening, closing = f"<{tag}>", f"</{tag}>"
        if text.count(opening) != text.count(closing):
            return False
        place = text.find(opening)
        while place >= 0:
            end = text.find(closing, place)
            if end < 0:
                return False
            place = text.find(opening, end + 1)
    return True


def words(text: str) -> set[str]:
    """The set of words: lower case, punctuation as spaces."""
    return set(text.lower().translate(_BLANKS).split())


def f1(answer: str, golds: Sequence[str]) -> float:
    """The best F1 of word sets over the gold answers; 0 where either is empty."""
    ours, best = words(answer), 0.0
    for gold in golds:
        theirs = words(gold)
        shared = len(ours & theirs)
        if shared:
            best = max(best, 2.0 * shared / (len(ours) + len(theirs)))
    return best


def outcome_reward(response: str, gold: Sequence[str], format_penalty: float) -> float:
    """F1 of the answer, or the penalty if it cannot be read."""
    text = response.lower()
    start = text.find("<answer>")
    end = text.find("</answer>", start)
    if start < 0 or end < 0 or not balanced(text):
        return format_penalty
    return f1(text[start + len("<answer>") : end], [part for one in gold for part in one.lower().split(SEPARATOR)])


@operation(
    "credit",
    "igpo",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"gold_logprobs": 0, "turn_texts": 0},
    grouped=True,
    compares="group",
    prompt_unless="gold_logprobs",
)
def igpo(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Turn rewards of a search agent: the information each turn gains, and the F1 of the answer at the end.

    P_t = exp(mean over tokens of log π(gold token)) after turn t; r_t = P_t − P_{t−1} for 1 ≤ t < T; r_T = F1 of word
    sets between the content of the first `<answer>` and the best gold answer (lower case, punctuation as spaces), or −2
    if think, tool_call, code or answer tags are unbalanced or there is no answer. T boundaries give T rewards; gains
    may be negative, and sum to P_{T−1} − P_0.

    Give `gold_logprobs`; or `turn_texts` (and `prompt`), and the hosted language model reads the first gold answer
    after `prompt`, the turns so far and `answer_prefix`: before the first turn and after each but the last.

    One boundary or none: only the F1. With `turns` given and not one more than the gains: an item error; variant
    `released` adds one gain of 0 if there are more than 10 turns and drops all gains otherwise, as the repository does.
    A boundary without tokens, a log-probability above 0, or no gold answer: an item error.

    `rewards`: turn rewards. Details: `returns` = Σ_{k ≥ t} γ^(k−t) r_k, γ = 1; `probabilities` = P; `f1` (the outcome);
    `advantage` within the group: `paper` (recalled) z-scores all its turn rewards (population), then sums them as
    returns; `released` = returns − mean of the returns of all rollouts of the group at the same turn, of which those
    with fewer turns count 0 there, as in that code.
    """
    items = columns.rows(Item.model_fields)
    hosted = HostedLogprobs()
    yield from _ask_log_probabilities(items, params, hosted)
    outcome = hosted.mark(by_row(columns.size, lambda i: _reward_turns(items[i], params)))
    kept = [i for i in range(columns.size) if i not in outcome.invalid]
    groups: dict[str | None, list[int]] = {}
    for i in kept:
        groups.setdefault(items[i]["group"], []).append(i)
    advantage: list[FloatArray | None] = [None] * columns.size
    for rows in groups.values():
        scored = _compute_advantages([outcome.rewards[i] for i in rows] if outcome.rewards else [], params)
        for i, values in zip(rows, scored, strict=True):
            advantage[i] = values
    outcome.details["advantage"] = advantage
    return outcome


def _ask_log_probabilities(items: list[dict[str, Any]], params: Params, hosted: HostedLogprobs) -> Effectful[None]:
    """Fill in the log-probabilities of the items that came as turns, all in one question to the model."""
    rows = [i for i, item in enumerate(items) if item["gold_logprobs"] is None and item["turn_texts"] and item["gold"]]
    asked = [
        (i, (items[i]["prompt"] or "") + "".join(items[i]["turn_texts"][:t]) + params.answer_prefix, first)
        for i in rows
        for first in (items[i]["gold"][0].split(SEPARATOR)[0],)
        for t in range(len(items[i]["turn_texts"]))
    ]
    answers = iter((yield from hosted.ask(asked, params.model)))
    for i in rows:
        read = [next(answers) for _ in items[i]["turn_texts"]]
        if i not in hosted.invalid:
            items[i]["gold_logprobs"] = [tokens for tokens in read if tokens is not None]


def _reward_turns(item: dict[str, Any], params: Params) -> Row:
    if not item["gold"]:
        raise ItemError("gold must hold at least one answer", param="gold")
    boundaries: list[Sequence[float]] | None = item["gold_logprobs"]
    response = item["response"]
    if response is None and item["turn_texts"]:
        response = "".join(item["turn_texts"])
    if boundaries is None or response is None:
        raise ItemError("give gold_logprobs and response, or turn_texts")
    for t, tokens in enumerate(boundaries):
        if len(tokens) == 0 or not all(token <= 0 for token in tokens):
            raise ItemError(
                f"gold_logprobs[{t}] must hold log-probabilities, numbers of 0 or below", param=f"gold_logprobs[{t}]"
            )
    believed = np.array([math.exp(sum(tokens) / len(tokens)) for tokens in boundaries])
    gains = np.diff(believed)
    turns = item["turns"]
    if turns is not None and turns != len(gains) + 1:
        if params.variant == "paper":
            raise ItemError(
                f"{turns} turns need {turns - 1} gains, and gold_logprobs gives {len(gains)}", param="gold_logprobs"
            )
        gains = np.append(gains, 0.0) if turns > _LONG else np.empty(0)
    final = outcome_reward(response, item["gold"], params.format_penalty)
    rewards = np.append(gains, final)
    return Row(
        rewards=rewards,
        details={"returns": return_to_go(rewards, params.gamma), "probabilities": believed, "f1": final},
    )


def _compute_advantages(rewards: Sequence[FloatArray], params: Params) -> list[FloatArray]:
    if params.variant == "paper":
        scored = standardized(np.concatenate([*rewards, np.empty(0)]))
        return [return_to_go(piece, params.gamma) for piece in split_as(scored, rewards)]
    returns = [return_to_go(row) for row in rewards]
    totals = np.zeros(max((len(row) for row in returns), default=0))
    for row in returns:
        totals[: len(row)] += row
    return [row - totals[: len(row)] / len(returns) for row in returns]
