"""GTAlign: an answer that reasons about user and model as a game, scored for the welfare of both."""

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.special import expit

from ..columns import Columns
from ..combine.geometric import SOURCE
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation

ACTIONS = ("DQ_AQ", "DQ_CQ", "DQ_DA", "VQ_AQ", "VQ_CQ", "VQ_DA")
"""Definite or vague question, times answer and ask, clarify, or direct answer."""

Payoff = Mapping[str, Mapping[str, float]]
"""Action -> {"LLM": l, "user": u}."""

EPSILON = 1e-4
STEEPNESS = 0.005
_TAGS = ("thinking", "payoff", "analyze", "response")
_BETWEEN = [re.compile(rf"</{a}>\s*<{b}>") for a, b in pairwise(_TAGS)]
_END = re.compile("</response>$", re.MULTILINE)
_LARGEST_PAYOFF = 20_000


@dataclass(frozen=True, slots=True)
class Parts:
    """An answer that could be read: its blocks, its payoffs, and whether all four stand in order."""

    reasoning: str
    response: str
    payoff: Payoff
    in_order: bool


def block(text: str, tag: str) -> str | None:
    """The content of the first ``<tag>…</tag>``, stripped; None if there is none."""
    start = text.find(f"<{tag}>")
    end = text.find(f"</{tag}>", start)
    return text[start + len(tag) + 2 : end].strip() if 0 <= start < end else None


def in_order(text: str) -> bool:
    """True if the text opens with the first block, the blocks follow one another, and a line ends with the last.

    Each border is taken where it first stands: a later one would leave less room for the next.
    """
    if not text.startswith(f"<{_TAGS[0]}>"):
        return False
    place = 0
    for border in _BETWEEN:
        found = border.search(text, place)
        if found is None:
            return False
        place = found.end()
    return _END.search(text, place) is not None


def parse_payoff(text: str) -> Payoff | None:
    """The payoff table from JSON or a Python literal; None unless it has exactly the six actions and both sides."""
    if len(text) > _LARGEST_PAYOFF:
        return None
    try:
        table = _parse_literal(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return table if is_payoff(table) else None


def is_payoff(table: Any) -> bool:
    """True for six actions with a finite number for each side."""
    if not isinstance(table, dict) or set(table) != set(ACTIONS):
        return False
    return all(
        isinstance(cell, dict)
        and set(cell) == {"LLM", "user"}
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in cell.values())
        for cell in table.values()
    )


def _parse_literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        plain = text.translate(str.maketrans("“”‘’", "\"\"''"))
        return ast.literal_eval(plain.strip())


def read(text: str) -> Parts | None:
    """The parts of an answer; None without a response or a payoff that parses."""
    response, payoff = block(text, "response"), parse_payoff(block(text, "payoff") or "")
    if response is None or payoff is None:
        return None
    return Parts(text.partition("<response>")[0], response, payoff, in_order(text))


def length_reward(text: str, shortest: int, longest: int) -> float:
    """σ(k (n − shortest)) · σ(k (longest − n)), n words, k = .005."""
    words = len(text.split())
    return float(expit(STEEPNESS * (words - shortest)) * expit(STEEPNESS * (longest - words)))


def payoff_reward(payoff: Payoff) -> float:
    """Of each of six cells, 1/12 if the sides differ and 1/12 if they do by more than a tenth."""
    total = 0.0
    for cell in payoff.values():
        user, model = float(cell["user"]), float(cell["LLM"])
        total += (user != model) / 12
        total += (abs(user - model) / max(abs(user), abs(model), 1e-8) > 0.1) / 12
    return total


def frontier(payoff: Payoff, eps: float = 1e-9) -> list[str]:
    """The actions that no other beats on one side without losing on the other, in the table's order."""

    def beats(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
        gaps = (a["LLM"] - b["LLM"], a["user"] - b["user"])
        return min(gaps) >= -eps and max(gaps) > eps

    return [name for name, cell in payoff.items() if not any(beats(other, cell) for other in payoff.values())]


def choose(payoff: Payoff) -> str:
    """Of the frontier the action with the greatest sum; ties to the user's gain, then to the model's."""
    return max(
        frontier(payoff),
        key=lambda name: (
            round(payoff[name]["user"] + payoff[name]["LLM"], 9),
            payoff[name]["user"],
            payoff[name]["LLM"],
        ),
    )


class Params(OperationParams):
    combine: Literal["geometric", "mean"] = Field("geometric", description="How the two welfares become one reward.")


class Item(OperationItem):
    response: str = Field(description="The model's full text, in the four tagged blocks.")
    answer_user: float = Field(description="Quality of the answer to the user, 0 to 1.")
    answer_llm: float = Field(description="The same as the model's own goal.")


@operation("score", "gtalign_format", item=Item, params=Params, source=SOURCE, fidelity="verified")
def gtalign_format(columns: Columns, params: Params) -> Outcome:
    """Mutual welfare of an answer in GTAlign's four tagged blocks.

    R = √(U · L), or (U + L) / 2 with `combine` mean (the ablation), where

    - U = 1e-4 + .5 · answer_user + .2 · len(response; 20, 500) + .3 · exp(−characters of reasoning / 500)
    - L = 1e-4 + .2 · format + .2 · payoff + .4 · answer_llm + .2 · len(full text; 500, 1000)
    - len(t; a, b) = σ(k (n − a)) · σ(k (b − n)), n white-space words, k = .005
    - payoff = Σ over the six cells of 1/12 · [user ≠ LLM] + 1/12 · [|user − LLM| / max(|user|, |LLM|, 1e-8) > .1]
    - format = 1 if `<thinking><payoff><analyze><response>` stand in this order with nothing but space between them

    The reasoning is all before `<response>`. The payoff is JSON (or a Python literal) with exactly the keys DQ_AQ,
    DQ_CQ, DQ_DA, VQ_AQ, VQ_CQ, VQ_DA, each of exactly LLM and user.

    No `<response>`, or no `<payoff>` that parses: everything is 0. No `<thinking>` or `<analyze>`: only format is.
    Answers are clipped to [0, 1]. Details: `user`, `llm`, `format`, `payoff`, `action` (what the payoffs recommend; see
    `score/gtalign_action`).
    """
    texts = columns.objects("response")
    user = np.clip(columns.floats("answer_user"), 0.0, 1.0)
    model = np.clip(columns.floats("answer_llm"), 0.0, 1.0)

    def compute_row(i: int) -> Row:
        parts = read(texts[i])
        if parts is None:
            return Row(reward=0.0, details={"user": 0.0, "llm": 0.0, "format": 0, "payoff": 0.0, "action": None})
        payoff = payoff_reward(parts.payoff)
        u = EPSILON + 0.5 * float(user[i]) + 0.2 * length_reward(parts.response, 20, 500)
        u += 0.3 * math.exp(-len(parts.reasoning) / 500)
        m = (
            EPSILON
            + 0.2 * parts.in_order
            + 0.2 * payoff
            + 0.4 * float(model[i])
            + 0.2 * length_reward(texts[i], 500, 1000)
        )
        return Row(
            reward=math.sqrt(u * m) if params.combine == "geometric" else (u + m) / 2,
            details={
                "user": u,
                "llm": m,
                "format": int(parts.in_order),
                "payoff": payoff,
                "action": choose(parts.payoff),
            },
        )

    return by_row(columns.size, compute_row)


class ActionItem(OperationItem):
    payoff: dict[str, dict[str, float]] = Field(description="Action -> {LLM, user}, all six actions.")


@operation("score", "gtalign_action", item=ActionItem, source=SOURCE, fidelity="verified")
def gtalign_action(columns: Columns, _: object) -> Outcome:
    """The action that a payoff table recommends, with the welfare it brings.

    Of the Pareto frontier (actions that no other beats on one side without losing on the other, to 1e-9), the one with
    the greatest user + LLM; ties go to the user, then to the model. reward = that sum. Keys other than the six actions:
    an item error. Details: `action`, `frontier`, `payoff` (the score of the table in `score/gtalign_format`).
    """
    payoffs = columns.objects("payoff")

    def compute_row(i: int) -> Row:
        if not is_payoff(payoffs[i]):
            raise ItemError(f"payoff must hold LLM and user for exactly {', '.join(ACTIONS)}", param="payoff")
        action = choose(payoffs[i])
        return Row(
            reward=payoffs[i][action]["user"] + payoffs[i][action]["LLM"],
            details={"action": action, "frontier": frontier(payoffs[i]), "payoff": payoff_reward(payoffs[i])},
        )

    return by_row(columns.size, compute_row)
