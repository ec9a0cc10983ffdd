"""Recipes are tried as they are written: YAML in, rewards out."""

from collections.abc import Callable, Mapping
from textwrap import dedent, indent
from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.apply import run_pure
from reward_gateway.operations.effects import FindJudgeLimits, RunInWorker
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.evaluation import Rewards
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch, RawScores

Compile = Callable[[str], Plan]
Evaluate = Callable[..., Rewards]


def compile_recipe(text: str) -> Plan:
    return load_book("rewards:\n  r:\n" + indent(dedent(text), "    ")).get("r")


def batch_of(size: int, **columns: Any) -> Batch:
    """A batch of ``size`` samples; every field that is not given is plain."""
    base: dict[str, Any] = {"ids": [str(i) for i in range(size)], "prompts": ["p"] * size, "responses": ["a"] * size}
    return Batch(**{**base, **columns})


def raw_scores(*values: float, **more: Any) -> RawScores:
    column = np.array(values, dtype=np.float64).reshape(-1, 1)
    return RawScores(column, "model", "1", np.zeros(len(values), dtype=bool), **more)


def run_plan(plan: Plan, batch: Batch, raw: Mapping[str, RawScores] | None = None, answers: Any = ()) -> Rewards:
    """Run a plan with the given raw scores; ``answers`` stand in for what the world answers to its needs."""
    steps = evaluate_plan(plan, batch, raw or {})
    replies: list[Any] = [None, *answers]
    while True:
        assert replies, "the plan needs more from outside than the test gave"
        try:
            need = steps.send(replies.pop(0))
            if isinstance(need, RunInWorker):
                replies.insert(0, run_pure(need.work()))
            elif isinstance(need, FindJudgeLimits):
                replies.insert(0, None)
        except StopIteration as stop:
            rewards: Rewards = stop.value
            return rewards


@pytest.fixture
def compiled() -> Compile:
    return compile_recipe


@pytest.fixture
def evaluated() -> Evaluate:
    """``evaluated(recipe_text, features=[{…}, …], raw={component: [numbers]}, …)``."""

    def evaluate_text(text: str, *, raw: Mapping[str, Any] | None = None, answers: Any = (), **columns: Any) -> Rewards:
        size = len(next(iter(columns.values()))) if columns else len(next(iter((raw or {}).values())))
        scores = {k: v if isinstance(v, RawScores) else raw_scores(*v) for k, v in (raw or {}).items()}
        return run_plan(compile_recipe(text), batch_of(size, **columns), scores, answers)

    return evaluate_text
