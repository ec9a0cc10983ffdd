"""Clients time out, vanish and retry over two gateways that share one store: every sample counts exactly once."""

import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.sample import Scored
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.namespace import Namespace

from tests.valkey import Valkey

from .conftest import batch_of
from .lossy import Client, Fate, lossy_gateway

OWNER = Namespace("a").run_keys
"""How the keys begin of what the clients write."""

FATES: tuple[Fate, ...] = get_args(Fate)
Attempts = list[tuple[int, Fate]]

attempts = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(FATES)), max_size=4)
requests = st.lists(st.tuples(attempts, st.booleans()), min_size=1, max_size=4)
each_fate: list[tuple[Attempts, bool]] = [([(0, fate), (1, "answered")], False) for fate in FATES]


def run(url: str, clients: list[Client]) -> list[Any]:
    """Let all clients run at the same time, over two gateways and an empty store; their final answers."""

    async def play() -> list[Any]:
        async with Redis.from_url(url, socket_timeout=60.0) as client:
            await client.flushdb()
        gateways = [lossy_gateway(url), lossy_gateway(url)]
        try:
            return list(await asyncio.gather(*(client.run(gateways) for client in clients)))
        finally:
            for gateway in gateways:
                await gateway.close()

    return asyncio.run(play())


def score(
    reward: str, values: list[float], key: str, caller: str = "a", run: str = ""
) -> Callable[[Gateway], Awaitable[Scored]]:
    def send(gateway: Gateway) -> Awaitable[Scored]:
        # Not cached: requests do not wait for each other's calls to the model, so each has its own fate.
        scope = RequestScope(caller, run, key)
        return gateway.score(batch_of(*values), reward, ScoreOptions(cache="off", scope=scope))

    return send


@pytest.fixture
def url(valkey_process: Valkey) -> str:
    return valkey_process.url


@given(requests)
@example(each_fate)
@settings(max_examples=30, deadline=None)
def test_moments_have_every_sample_once(valkey_process: Valkey, plan: list[tuple[Attempts, bool]]) -> None:
    values = [[10.0 * i, 10.0 * i + 1] for i in range(len(plan))]
    clients = [
        Client(score("scaled", own, f"key {i}"), sent, impatient)
        for i, (own, (sent, impatient)) in enumerate(zip(values, plan, strict=True))
    ]
    answers = run(valkey_process.url, clients)
    assert [answer.invalid for answer in answers] == [{}] * len(plan)
    for client, final in zip(clients, answers, strict=True):
        for heard in client.heard:  # what was once answered stays the answer
            known = [i for i in range(2) if i not in heard.invalid]
            assert heard.reward[known].tolist() == final.reward[known].tolist()
    with valkey_process.client() as client:
        stored = client.hgetall(f"{OWNER}moments:data:run")
    every = [value for own in values for value in own]
    assert float(stored[b"count"]) == len(every)
    assert float(stored[b"mean"]) == pytest.approx(statistics.fmean(every))
    assert float(stored[b"m2"]) == pytest.approx(statistics.pvariance(every) * len(every))


@given(requests)
@example(each_fate)
@settings(max_examples=30, deadline=None)
def test_archives_have_every_sample_once(valkey_process: Valkey, plan: list[tuple[Attempts, bool]]) -> None:
    def send(i: int) -> Callable[[Gateway], Awaitable[Any]]:
        items = [{"descriptor": [float(i), float(k)], "archive": "run"} for k in range(2)]
        scope = RequestScope("a", "", f"key {i}")
        return lambda gateway: gateway.operations.apply_items("score", "novelty", items, {"add": "all"}, scope=scope)

    clients = [Client(send(i), sent, impatient) for i, (sent, impatient) in enumerate(plan)]
    answers = run(valkey_process.url, clients)
    for client, final in zip(clients, answers, strict=True):
        assert client.heard == [final] * len(client.heard)
    with valkey_process.client() as client:
        assert client.llen(f"{OWNER}archives:data:run") == 2 * len(plan)
        assert len(set(client.lrange(f"{OWNER}archives:data:run", 0, -1))) == 2 * len(plan)


@given(st.lists(st.tuples(attempts, st.booleans()), min_size=1, max_size=2), st.integers(1, 2))
@example(each_fate, 1)
@settings(max_examples=30, deadline=None)
def test_cohorts_have_every_sample_once(
    valkey_process: Valkey, plan: list[tuple[Attempts, bool]], cohorts: int
) -> None:
    sent = [plan[i % len(plan)] for i in range(max(3 * cohorts, len(plan) // 3 * 3))]
    clients = [
        Client(score("cohort", [float(i)], f"key {i}"), own, impatient) for i, (own, impatient) in enumerate(sent)
    ]
    answers = run(valkey_process.url, clients)
    assert [answer.invalid for answer in answers] == [{}] * len(clients)
    with valkey_process.client() as client:
        stored = [client.lrange(key, 0, -1) for key in client.scan_iter(f"{OWNER}cohorts:members:*")]
    members = [[json.loads(member)[0] for member in cohort] for cohort in stored]
    assert sorted(value for cohort in members for value in cohort) == [float(i) for i in range(len(clients))]
    for i, answer in enumerate(answers):
        (own,) = [cohort for cohort in members if float(i) in cohort]
        assert len(own) == 3
        assert answer.reward.tolist() == pytest.approx([i - statistics.fmean(own)])


spaces = st.tuples(st.sampled_from(["alice", "bob"]), st.sampled_from(["", "a", "b"]))


@given(st.lists(st.tuples(st.integers(0, 1), spaces), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_namespaces_never_mix_over_two_gateways(
    valkey_process: Valkey, plan: list[tuple[int, tuple[str, str]]]
) -> None:
    """At the same time, with the same keys: each namespace sends a stream's samples, and one cohort of three."""
    owners = sorted({space for _, space in plan})
    streams = [
        Client(score("scaled", [1.0], f"key {i}", *space), [(place, "answered")], False)
        for i, (place, space) in enumerate(plan)
    ]
    joins = [
        Client(score("cohort", [10.0 * own], f"key {i}", *space), [((i + own) % 2, "answered")], False)
        for own, space in enumerate(owners)
        for i in range(3)
    ]
    answers = run(valkey_process.url, [*streams, *joins])
    assert [answer.reward.tolist() for answer in answers[len(plan) :]] == [[0.0]] * len(joins)
    with valkey_process.client() as client:
        for space in owners:
            stored = client.hget(f"{Namespace(*space).run_keys}moments:data:run", "count")
            assert float(stored or 0) == [sent for _, sent in plan].count(space)
