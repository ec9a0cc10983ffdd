"""Preference pairs of kept samples: by marks where a prompt has good ones and others, else by rewards."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from .kinds import Kind
from .record import Index

PAIRS_AT_ONCE = 100
"""Pairs whose texts are read in one step."""

REJECTED = ("bad", "hack")


@dataclass(frozen=True, slots=True)
class Found:
    """A kept sample without its texts."""

    id: str
    index: Index
    kinds: tuple[Kind, ...]
    mark: str


def choose_pairs(found: Sequence[Found], min_margin: float) -> list[tuple[Found, Found]]:
    """Pairs (chosen, rejected), the newest prompt first.

    Within one prompt (of one run, scored by one version of a recipe) every sample marked good is preferred to every
    one marked bad or hack. Where that gives no pair, the one with the highest reward is preferred to the one with the
    lowest, if the two differ, and by ``min_margin`` at least; nothing marked bad or hack is preferred, and nothing
    marked good rejected.
    """
    by_prompt: dict[tuple[str, ...], list[Found]] = {}
    for each in sorted(found, key=lambda each: (each.index.t, each.id), reverse=True):
        index = each.index
        by_prompt.setdefault((index.caller, index.run, index.recipe, index.version, index.prompt), []).append(each)
    pairs: list[tuple[Found, Found]] = []
    for members in by_prompt.values():
        good = [each for each in members if each.mark == "good"]
        bad = [each for each in members if each.mark in REJECTED]
        if good and bad:
            pairs += [(chosen, rejected) for chosen in good for rejected in bad]
        elif (pair := _pair_by_reward(members, min_margin)) is not None:
            pairs.append(pair)
    return pairs


def encode_pair(chosen: Found, rejected: Found, body: bytes | None, rejected_body: bytes | None) -> bytes | None:
    """A pair as a line of JSON; None where one of the two is no longer kept."""
    if body is None or rejected_body is None:
        return None
    kept, other = msgspec.json.decode(body), msgspec.json.decode(rejected_body)
    pair = {
        "prompt": kept["prompt"],
        "chosen": kept["response"],
        "rejected": other["response"],
        "chosen_reward": chosen.index.reward,
        "rejected_reward": rejected.index.reward,
        "reward": chosen.index.recipe,
        "recipe_version": chosen.index.version,
        "run": chosen.index.run,
    }
    return msgspec.json.encode(pair) + b"\n"


def _pair_by_reward(members: Sequence[Found], min_margin: float) -> tuple[Found, Found] | None:
    best = worst = None
    high, low = float("-inf"), float("inf")
    for each in members:
        if (reward := each.index.reward) is None:
            continue
        if each.mark not in REJECTED and reward > high:
            best, high = each, reward
        if each.mark != "good" and reward < low:
            worst, low = each, reward
    if best is None or worst is None or not high > low or high - low < min_margin:
        return None
    return best, worst
