"""SCAR: a dense reward from the Shapley values of a text's segments under a reward model."""

from collections.abc import Sequence
from itertools import combinations
from math import factorial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful
from ..hosted import ask_model, samples
from ..names import HostedReward
from ..outcome import ItemError, Outcome, Row, by_row, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Towards Better Dense Rewards in Reinforcement Learning Applications (SCAR)", "https://arxiv.org/abs/2512.04302"
)

LARGEST_EXACT = 12
LARGEST = 60

Masks = NDArray[np.int64]
"""Sets of segments, bit i for segment i."""


class Params(OperationParams):
    alpha: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Weight of the Shapley values; the rest of the weight is the whole text's reward, "
        "paid at the end. The paper's default is not known; 1 gives the Shapley values themselves.",
    )
    method: Literal["exact", "permutation"] = Field("exact", description="All subsets, or sampled orders.")
    permutations: int = Field(64, ge=1, le=4096, description="Orders that are sampled (permutation).")
    seed: int = Field(0, ge=0, description="Seed of the sampled orders, so that an answer repeats.")
    missing: Literal["empty", "space"] = Field("empty", description="What stands in place of a segment left out.")
    model: HostedReward | None = Field(None, description="Hosted reward model, where the item names none.")


class Item(OperationItem):
    values: dict[str, float] | None = Field(
        None, description='Value of every subset, by the indices of its segments: {"": 0, "0": 1, "0,1": 4}.'
    )
    prompt: str | None = Field(None, description="Prompt that the hosted model sees before the segments.")
    segments: list[str] | None = Field(
        None, description="The text in pieces, for the hosted model to score subsets of."
    )
    rm: str | None = Field(None, description="Hosted reward model.")
    coalitions: list[list[int]] | None = Field(
        None, description="Segments that belong together (sentences of words): Owen values in place of Shapley's."
    )
    kl: list[float] | None = Field(None, description="KL reward of every segment, added.")


class Terms:
    """Weighted marginal contributions: SV_player = Σ weight · (v(without ∪ player) − v(without))."""

    def __init__(self, n: int, player: Sequence[int], weight: Sequence[float], without: Sequence[int]) -> None:
        self.n = n
        self.player = np.asarray(player, dtype=np.int64)
        self.weight = np.asarray(weight, dtype=np.float64)
        self.without: Masks = np.asarray(without, dtype=np.int64)
        self.with_: Masks = self.without | (np.int64(1) << self.player)
        ends = np.array([0, (1 << n) - 1], dtype=np.int64)
        self.needed: Masks = np.unique(np.concatenate([self.without, self.with_, ends]))

    def shapley(self, values: FloatArray) -> FloatArray:
        """[n] from the values of ``needed``."""
        gain = values[np.searchsorted(self.needed, self.with_)] - values[np.searchsorted(self.needed, self.without)]
        shares = np.bincount(self.player, weights=self.weight * gain, minlength=self.n)
        return np.asarray(shares, dtype=np.float64)


def exact_terms(n: int) -> Terms:
    """Every subset: |S|! (n − |S| − 1)! / n!."""
    if n > LARGEST_EXACT:
        raise ItemError(f"{n} segments have 2^{n} subsets; up to {LARGEST_EXACT} are exact, take method permutation")
    by_size = [factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)]
    rows = [(i, by_size[s.bit_count()], s) for s in range(1 << n) for i in range(n) if not s >> i & 1]
    return Terms(n, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


def owen_terms(n: int, coalitions: Sequence[Sequence[int]]) -> Terms:
    """Subsets of whole other coalitions, with any part of the own one."""
    if sorted(i for members in coalitions for i in members) != list(range(n)) or not all(coalitions):
        raise ItemError(
            f"coalitions must hold each of the {n} segments once, and none may be empty", param="coalitions"
        )
    m, largest = len(coalitions), max((len(members) for members in coalitions), default=0)
    if max(m, largest) > LARGEST_EXACT:
        raise ItemError(
            f"at most {LARGEST_EXACT} coalitions of at most {LARGEST_EXACT} segments are exact", param="coalitions"
        )
    whole = [sum(1 << i for i in members) for members in coalitions]
    rows: list[tuple[int, float, int]] = []
    for k, members in enumerate(coalitions):
        b = len(members)
        outer = [
            (sum(whole[j] for j in chosen), factorial(h) * factorial(m - h - 1) / factorial(m))
            for h in range(m)
            for chosen in combinations([j for j in range(m) if j != k], h)
        ]
        for i in members:
            rest = [j for j in members if j != i]
            inner = [
                (sum(1 << j for j in chosen), factorial(t) * factorial(b - t - 1) / factorial(b))
                for t in range(b)
                for chosen in combinations(rest, t)
            ]
            rows += [(i, wo * wi, so | si) for so, wo in outer for si, wi in inner]
    return Terms(n, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


def sampled_terms(n: int, count: int, seed: int) -> Terms:
    """Marginal contributions along sampled orders; each order's sum to v(P) − v(∅)."""
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)
    bits = np.int64(1) << orders
    without = np.cumsum(bits, axis=1) - bits
    return Terms(n, orders.ravel().tolist(), [1.0 / count] * orders.size, without.ravel().tolist())


def terms_of(n: int, coalitions: Sequence[Sequence[int]] | None, params: Params) -> Terms:
    """The contributions that the item asks for."""
    if n > LARGEST:
        raise ItemError(f"at most {LARGEST} segments; these are {n}")
    if coalitions is not None:
        return owen_terms(n, coalitions)
    return exact_terms(n) if params.method == "exact" else sampled_terms(n, params.permutations, params.seed)


def given_values(values: dict[str, float]) -> dict[int, float]:
    """Subset -> value, from keys of comma-separated indices."""
    table: dict[int, float] = {}
    for key, value in values.items():
        parts = [part.strip() for part in key.split(",")] if key.strip() else []
        if not all(part.isascii() and part.isdigit() and int(part) < LARGEST for part in parts):
            raise ItemError(f"the key {key!r} of values is no list of indices such as '0,2'", param="values")
        mask = sum({1 << int(part) for part in parts})
        if mask in table:
            raise ItemError(f"values holds the subset {key!r} twice", param="values")
        table[mask] = value
    return table


@operation(
    "credit",
    "shapley",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    cost=Cost(row=1000.0, unit=2.0, square=0.05),
    prompt_unless="values",
)
def shapley(columns: Columns, params: Params) -> Effectful[Outcome]:
    """A reward a segment: its Shapley value under a reward model, mixed with the reward of the whole text.

    v(S) is the reward of the text with only the segments of S; SV_i = Σ over S without i of
    |S|! (N − |S| − 1)! / N! · (v(S ∪ i) − v(S)); R_t = kl_t + α SV_t + (1 − α) · 1[t = T] · v(P). Efficiency:
    Σ SV = v(P) − v(∅), for every method here.

    Give `values` of all subsets (`""` is the empty text, which is never taken as 0), or `segments` with `prompt` and
    the name of a hosted reward model (`rm`), which is asked for all subsets at once; segments left out are empty or a
    space. `exact` takes up to 12 segments; `permutation` averages sampled orders, reproducibly, and unbiased. With
    `coalitions` the values are Owen's: orders keep a coalition together, so that far fewer subsets are needed.

    No segments: no rewards. One segment: v(P) − v(∅). A subset without a value: an item error. Details: `shapley`,
    `total` = v(P), `empty` = v(∅), `subsets` (how many were valued).
    """
    items = columns.rows(Item.model_fields)
    plans: dict[int, Terms] = {}
    values: dict[int, FloatArray] = {}
    invalid: dict[int, Invalid] = {}
    asked: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        try:
            plans[i] = _plan_subsets(item, params)
            if item["values"] is not None:
                values[i] = _looked_up(given_values(item["values"]), plans[i])
            else:
                asked.setdefault(item["rm"] or params.model or _default_name(), []).append(i)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    for model, rows in asked.items():
        yield from _score_subsets(model, rows, items, plans, params.missing, values, invalid)
    outcome = by_row(columns.size, lambda i: _build_row(items[i], plans.get(i), values.get(i), params))
    outcome.invalid.update(invalid)
    return outcome


def _default_name() -> str:
    raise ItemError("give rm, the name of a hosted reward model, or values", param="rm")


def _plan_subsets(item: dict[str, Any], params: Params) -> Terms:
    if item["values"] is not None:
        n = max((mask.bit_length() for mask in given_values(item["values"])), default=0)
    elif item["segments"] is not None:
        n = len(item["segments"])
    else:
        raise ItemError("give values of the subsets, or segments and rm")
    if item["kl"] is not None and len(item["kl"]) != n:
        raise ItemError(f"{n} segments have {len(item['kl'])} kl; give one each", param="kl")
    return terms_of(n, item["coalitions"], params)


def _looked_up(table: dict[int, float], terms: Terms) -> FloatArray:
    for mask in terms.needed.tolist():
        if mask not in table:
            name = ",".join(str(i) for i in range(terms.n) if mask >> i & 1)
            raise ItemError(f"values lacks the subset {name!r}", param="values")
    return np.array([table[mask] for mask in terms.needed.tolist()])


def _score_subsets(
    model: str,
    rows: list[int],
    items: list[dict[str, Any]],
    plans: dict[int, Terms],
    missing: str,
    values: dict[int, FloatArray],
    invalid: dict[int, Invalid],
) -> Effectful[None]:
    """Score every needed subset of some items, all in one question to the model."""
    gap = " " if missing == "space" else ""
    prompts: list[str | None] = []
    texts: list[str | None] = []
    for i in rows:
        for mask in plans[i].needed.tolist():
            prompts.append(items[i]["prompt"])
            texts.append("".join(text if mask >> k & 1 else gap for k, text in enumerate(items[i]["segments"])))
    batch = samples(len(texts), prompts=prompts, responses=texts)
    answer = yield from ask_model(model, batch, range(len(texts)), len(texts))
    start = 0
    for i in rows:
        stop = start + len(plans[i].needed)
        failed = [reason for k, reason in answer.invalid.items() if start <= k < stop]
        if failed:
            invalid[i] = failed[0]
        else:
            values[i] = answer.values[start:stop, 0]
        start = stop


def _build_row(item: dict[str, Any], terms: Terms | None, values: FloatArray | None, params: Params) -> Row:
    if terms is None or values is None:
        raise ItemError("the subsets have no values")
    shares = terms.shapley(values)
    rewards = params.alpha * shares
    if terms.n:
        rewards[-1] += (1.0 - params.alpha) * values[-1]
    if item["kl"] is not None:
        rewards = rewards + np.asarray(item["kl"])
    details = {"shapley": shares, "total": float(values[-1]), "empty": float(values[0]), "subsets": len(values)}
    return Row(rewards=rewards, details=details)
