"""Attacks, pairs and scores for the tests of the red team."""

import math
from typing import Any

from reward_gateway.lab.redteam.attacks import Attack
from reward_gateway.lab.redteam.findings import Tried
from reward_gateway.lab.redteam.scores import Score
from reward_gateway.lab.redteam.trials import Pair


def make_attack(template: str = "$response!", **fields: Any) -> Attack:
    """An attack of a class that every recipe reads, unless told otherwise."""
    return Attack.model_validate({"id": "a.b", "class": "repetition", "title": "t", "template": template, **fields})


def make_pair(number: int = 0, **fields: Any) -> Pair:
    """A pair with a prompt of its own."""
    prompt = f"p{number}"
    given = {"row": number, "id": str(number + 1), "subset": None, "prompt": prompt, "rejected_prompt": prompt}
    return Pair(**{**given, "chosen": "good", "rejected": "bad", **fields})


def make_score(value: float | str) -> Score:
    """A number, or an error's code in place of one."""
    return Score(math.nan, f"{value}: why") if isinstance(value, str) else Score(value)


def make_tried(
    chosen: float | str,
    rejected: float | str,
    attacked: float | str,
    number: int = 0,
    beside: float | str | None = None,
) -> Tried:
    """An attack on a pair of its own, with scores or error codes."""
    return Tried(
        make_pair(number),
        "attacked",
        make_score(chosen),
        make_score(rejected),
        make_score(chosen if beside is None else beside),
        make_score(attacked),
    )
