"""All that is told of the gateway is told, and all that is measured is told: no hook and no metric is idle."""

import ast
from collections.abc import Iterator
from itertools import chain
from typing import get_args

import numpy as np
import pytest
from reward_gateway.experiments.comparison import Comparison
from reward_gateway.fair_queue import WEIGHTS
from reward_gateway.observer import (
    UNOBSERVED,
    BreakerState,
    CacheFault,
    CacheLevel,
    CacheOperation,
    CloseReason,
    ExperimentOutcome,
    HedgeOutcome,
    Observer,
    RefusalReason,
    RejectReason,
    ReplicaKind,
    StoreName,
    UnfinishedReason,
    WorkerPoolName,
)
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.telemetry.instruments import PREFIX
from reward_gateway.telemetry.metrics import Metrics

from tests.raising import HOOKS, raising_metrics
from tests.service_code import parse, reachable_modules


class Ensemble:
    ensemble = ("a", "b")
    audits: tuple[str, ...] = ()


def scored_batch(rows: int) -> Scored:
    """Two components that disagree, one with a transform, the other with verdicts of a rule; flags and reasons."""
    draw = np.random.default_rng(0).normal(size=(3, rows))
    verdicts = {"by_exact": np.ones(rows)}
    parts = {
        "a": ComponentScores(draw[0], np.tanh(draw[0]), skipped=["b", *[None] * (rows - 1)]),
        "b": ComponentScores(draw[1], draw[1], verdicts=verdicts),
    }
    return Scored("r", "1", draw[2], parts, invalid={0: Invalid("guard", "caught")}, flags={1: ("truncated",)})


def tell_everything(observer: Observer) -> None:
    """Call every hook with every value of its closed sets."""
    observer.process_started("1.0", "3.12")
    observer.recipes_loaded({"r": "1"})
    observer.request_answered("http", "/v1/score", "200", 0.1, "0af7651916cd43dd8448eb211c80319c")
    observer.request_unauthorized("unauthenticated")
    observer.admission_changed(1, 1)
    observer.admission_queue_changed(dict.fromkeys(WEIGHTS, 1), 0.5)
    for priority in WEIGHTS:
        observer.admission_passed(priority, 0.1)
    for reason in get_args(RejectReason):
        observer.admission_rejected(reason)
    observer.jobs_counted(1, 1, 1.0, 1)
    for again in (False, True):
        observer.job_piece_taken(0.1, again=again)
    observer.job_piece_scored(1, 0.1)
    observer.connections_changed(1)
    for close_reason in get_args(CloseReason):
        observer.connection_closed(close_reason)
    observer.rate_checked_alone()
    observer.over_budget("t")
    observer.budget_unchecked()
    observer.usage_counted("k", "t", 3)
    observer.judge_answered("j", 10, 2, 0.1)
    observer.judge_cached("j", 3)
    for state in get_args(BreakerState):
        observer.rates_breaker_changed(state)
    for store in get_args(StoreName):
        observer.store_checked(store, False)
    observer.state_checked(True)
    for level in get_args(CacheLevel):
        observer.cache_looked_up(level, 1, 1, 0.1)
    for operation in get_args(CacheOperation):
        for fault in get_args(CacheFault):
            observer.cache_failed(operation, fault)
    observer.cache_corrupt(1)
    observer.cache_written(1, 0.1)
    observer.cache_dropped(1)
    for state in get_args(BreakerState):
        observer.cache_breaker_changed(state)
    for unfinished in get_args(UnfinishedReason):
        observer.work_unfinished(unfinished)
    observer.rows_queued("m", 1)
    for refusal in get_args(RefusalReason):
        observer.rows_refused("m", 1, refusal)
    observer.model_call_started("m", 1)
    observer.model_call_started("m", 1)
    observer.model_call_finished("m", 1, 0.1, "ok")
    observer.triton_checked("triton:8001", True)
    observer.upstream_checked("m", "rm:8000", True)
    for kind in get_args(ReplicaKind):
        observer.replica_call_started(kind, "m", "rm:8000", 1)
        observer.replica_call_started(kind, "m", "rm:8000", 1)
        observer.replica_call_finished(kind, "m", "rm:8000", 0.1, "ok")
        observer.replica_breaker_changed(kind, "m", "rm:8000", "closed")
        observer.replica_breaker_changed(kind, "m", "rm:8000", "open")
    for hedged in get_args(HedgeOutcome):
        observer.call_hedged("judge", "j", hedged)
    for pool in get_args(WorkerPoolName):
        observer.worker_pool_changed(pool, 1, 1)
    observer.media_fetched("ok", 1, 0.1)
    for _ in range(3):  # the first rows are what the later ones are held against
        observer.batch_scored(Ensemble(), scored_batch(2048), np.arange(2048.0))
    for outcome in get_args(ExperimentOutcome):
        observer.candidate_scored("e", outcome, 1)
    comparison = Comparison()
    draw = np.random.default_rng(1).normal(size=(2, 400))
    comparison.add_samples(("1", "2"), [f"p{i // 2}" for i in range(400)], draw[0], draw[1])
    observer.candidate_compared("e", comparison.report())


def samples(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by metric and labels, of the metrics that are ours."""
    metrics.render()  # as a scrape does: the gauges of windows are set then
    return {
        family.name: {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}
        for family in metrics.registry.collect()
        if family.name.startswith(PREFIX)
    }


def test_every_registered_metric_can_be_observed() -> None:
    metrics = Metrics()
    before = samples(metrics)
    tell_everything(metrics)
    shared = metrics.health.share_windows("redis://127.0.0.1:1")  # hears of its windows itself
    shared.lost(1)
    shared.failed()
    after = samples(metrics)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] == after[name]] == []


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_counted(hook: str) -> None:
    assert hook in vars(Metrics), "the metrics take no notice of it"


def test_what_a_hook_raises_goes_no_further() -> None:
    told: list[str] = []
    tell_everything(raising_metrics(told))
    assert sorted(set(told)) == HOOKS


def test_what_an_observer_of_a_test_asserts_fails_the_test(
    failed_assertions_of_observers: list[AssertionError],
) -> None:
    class Asserting(Observer):
        def rate_checked_alone(self) -> None:
            raise AssertionError("not what was expected")

    Asserting().rate_checked_alone()
    raised = [str(failed_assertions_of_observers.pop())]
    assert (raised, failed_assertions_of_observers) == (["not what was expected"], [])


def test_where_nobody_measures_nothing_happens() -> None:
    tell_everything(UNOBSERVED)
    assert vars(UNOBSERVED) == {}


def calls_in(module: str) -> Iterator[ast.Call]:
    tree = parse(module)
    assert tree is not None
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_every_hook_is_called_by_the_service() -> None:
    modules = [
        m for m in reachable_modules() if not m.startswith(("reward_gateway.telemetry", "reward_gateway.observer"))
    ]
    text = "".join(ast.unparse(tree) for tree in map(parse, modules) if tree is not None)
    told = {hook for hook in HOOKS if f"observer.{hook}" in text or f"metrics.{hook}" in text}
    assert sorted(set(HOOKS) - told) == []


def observed_parts() -> dict[str, int]:
    """Classes and their makers that take an observer, as ``module.name``; and its place among the arguments."""
    found: dict[str, int] = {}
    for module in reachable_modules():
        tree = parse(module)
        for owner in ast.walk(tree) if tree is not None else ():
            for node in getattr(owner, "body", ()) if isinstance(owner, ast.Module | ast.ClassDef) else ():
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    names = [argument.arg for argument in chain(node.args.args, node.args.kwonlyargs)]
                    if "observer" not in names:
                        continue
                    name = node.name
                    if isinstance(owner, ast.ClassDef):
                        name = owner.name if name == "__init__" else f"{owner.name}.{name}"
                        names = names[1:]
                    found[f"{module}.{name}"] = names.index("observer")
    return found


def defining_modules(module: str) -> dict[str, str]:
    """Names that a module imports from others, as ``module.name``."""
    tree = parse(module)
    parts = module.split(".")
    return {
        name.asname or name.name: ".".join([*parts[: -node.level if node.level else 0], *filter(None, [node.module])])
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }


def test_every_part_that_can_be_observed_is_observed_in_the_service() -> None:
    parts = observed_parts()
    known = ("cache.memory.MemoryCache", "backends.coalescer.Coalescer", "gateway.Gateway", "traffic.guard.Traffic.of")
    assert {f"reward_gateway.{name}" for name in known} <= parts.keys()
    forgotten = []
    for module in reachable_modules():
        imported = defining_modules(module)
        for call in calls_in(module):
            name = ast.unparse(call.func)
            place = parts.get(f"{imported.get(name.partition('.')[0], module)}.{name}")
            if place is None or any(keyword.arg == "observer" for keyword in call.keywords):
                continue
            if len(call.args) <= place and not any(isinstance(argument, ast.Starred) for argument in call.args):
                forgotten.append(f"{module}:{call.lineno} {name}")
    assert forgotten == []
