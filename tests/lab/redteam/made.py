"""Attacks, pairs and scores for the tests of the red team."""

import math
from typing import Any

from reward_gateway.lab.redteam.attacks import Attack, Trait, read_attacks
from reward_gateway.lab.redteam.findings import Tried
from reward_gateway.lab.redteam.plan import Plan
from reward_gateway.lab.redteam.recipe import Readings
from reward_gateway.lab.redteam.report import Report, Tested
from reward_gateway.lab.redteam.scores import Score
from reward_gateway.lab.redteam.trials import Pair


def make_attack(template: str = "$response!", **fields: Any) -> Attack:
    """An attack of a class that every recipe reads, unless told otherwise."""
    return Attack.model_validate({"id": "a.b", "class": "repetition", "title": "t", "template": template, **fields})


def make_pair(number: int = 0, **fields: Any) -> Pair:
    """A pair with a prompt of its own."""
    prompt = f"p{number}"
    given: dict[str, Any] = {"row": number, "id": str(number + 1), "subset": None, "prompt": prompt}
    return Pair(**{**given, "rejected_prompt": prompt, "chosen": "good", "rejected": "bad", **fields})


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


def make_report(
    pairs: int = 80,
    text: str = "bad",
    traits: frozenset[Trait] = frozenset({"model"}),
    chosen: float = 1.0,
    **tested: Any,
) -> Report:
    """A report of every attack: rejected responses score 0, attacked ones by the class of the attack."""
    attacks = read_attacks()
    tried = [make_pair(i, rejected=text, chosen=f"good {text}", id=text if i == 0 else str(i)) for i in range(pairs)]
    plan = Plan(Readings(True, traits), False, attacks, attacks.expanded, tried)
    wins = {"sycophancy": 1.0, "length_padding": 0.06, "repetition": 0.0}
    clean = [make_score(value) for _ in tried for value in (chosen, 0.0)]
    clean[-2:] = [make_score("too_large")] * 2
    attacked = [
        make_score(1.5 if trial.pair < pairs * wins.get(trial.attack.attack_class, 0.0) else -0.5)
        for trial in plan.trials
    ]
    facts: dict[str, Any] = {
        "reward": "helpful",
        "recipe_version": "b3:abc",
        "models": {"helpful": "text_preference 1"},
        "file": "pairs.jsonl",
        "sha256": "ab" * 32,
        "layout": "pairs",
        "rows": pairs + 1,
        "left_out": {"label says neither": 1},
        "pairs": pairs,
        "service": "http://127.0.0.1:8080",
        "date": "2026-11-30T00:00:00+00:00",
        "gateway_version": "1",
        "max_wins": 0.05,
        "resamples": 2000,
        "seed": 0,
    }
    return plan.make_report([*clean, *attacked], Tested(**{**facts, **tested}))
