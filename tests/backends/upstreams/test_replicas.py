"""Several servers of one upstream: who is asked, what happens when one fails, hangs, returns, or is another."""

import asyncio
import socket
from typing import Any

import pytest
from reward_gateway.backends import followed_name
from reward_gateway.backends.upstreams import replica as replica_module
from reward_gateway.backends.upstreams import replicas, upstream
from reward_gateway.observer import BreakerState, Observer, ReplicaKind
from starlette.responses import Response

from tests.clock import LONGEST_WAIT_S, until

from .conftest import FakeServer, OpenUpstreams, StartServer, entry, raw_scores, soon, texts

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def looks_are_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(upstream, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(followed_name, "LOOK_UP_EVERY_S", 0.05)
    monkeypatch.setattr(followed_name, "LOOK_UP_AGAIN_S", 0.05)


def many(n: int) -> Any:
    return texts(*(("p", f"sample {k}") for k in range(n)))


async def score_each(models: Any, n: int) -> list[Any]:
    """The answers to posts of one sample each, all at once."""
    batch = many(n)
    return list(await asyncio.gather(*(models.score("rm", batch, [k], soon()) for k in range(n))))


def samples_of(server: FakeServer) -> int:
    return sum("sample" in str(body) for body in server.asked)


async def eventually(ask: Any) -> None:
    async with asyncio.timeout(LONGEST_WAIT_S):
        while not await ask():
            await asyncio.sleep(0.01)


async def test_calls_go_to_all_replicas(start: StartServer, upstreams: OpenUpstreams) -> None:
    servers = [await start("vllm") for _ in range(3)]
    answers = await score_each(upstreams(rm=entry(servers, "vllm_classify")), 60)
    assert all(answer.invalid == {} for answer in answers)
    assert all(samples_of(server) >= 10 for server in servers)


async def test_the_one_with_the_fewest_calls_is_asked(start: StartServer, upstreams: OpenUpstreams) -> None:
    slow, quick = await start("vllm", holds="sample"), await start("vllm")
    models = upstreams(rm=entry([slow, quick], "vllm_classify"))
    await models.models()
    batch = many(20)
    scoring = [asyncio.create_task(models.score("rm", batch, [k], soon())) for k in range(2)]
    await until(lambda: samples_of(slow) == 1)
    for k in range(2, 20):
        await models.score("rm", batch, [k], soon())
    assert (samples_of(slow), samples_of(quick)) == (1, 19)
    slow.holds = ""
    await asyncio.gather(*scoring)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failed_call_goes_once_to_another(start: StartServer, upstreams: OpenUpstreams, status: int) -> None:
    bad, good = await start("vllm"), await start("vllm")
    bad.fault = lambda path, body: Response(b"", status) if "sample" in str(body) else None
    answers = await score_each(upstreams(rm=entry([bad, good], "vllm_classify")), 12)
    assert all(answer.invalid == {} for answer in answers)
    assert samples_of(good) == 12


async def test_a_call_that_fails_everywhere_is_tried_twice(start: StartServer, upstreams: OpenUpstreams) -> None:
    servers = [await start("vllm") for _ in range(3)]
    for server in servers:
        server.fault = lambda path, body: Response(b"", 500) if "sample" in str(body) else None
    (answer,) = await score_each(upstreams(rm=entry(servers, "vllm_classify")), 1)
    assert answer.invalid[0].code == "model_unavailable"
    assert sum(map(samples_of, servers)) == 2


async def test_a_replica_that_is_killed_loses_no_row_and_is_used_when_it_returns(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    first, second = await start("vllm"), await start("vllm")
    models = upstreams(rm=entry([first, second], "vllm_classify"))
    await models.models()
    await first.stop()
    answers = await score_each(models, 20)
    assert all(answer.invalid == {} for answer in answers)
    before = samples_of(first)
    await first.start()

    async def is_used() -> bool:
        await score_each(models, 4)
        return samples_of(first) > before

    await eventually(is_used)


async def test_rows_that_wait_for_a_hung_replica_go_to_another(
    start: StartServer, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its breaker opens when it does not answer looks, long before the time of its calls is over."""
    monkeypatch.setattr(replica_module, "LOOK_S", 0.2)
    first, second = await start("vllm"), await start("vllm")
    models = upstreams(rm=entry([first, second], "vllm_classify", limits={"timeout_s": 3600}))
    await models.models()
    first.hangs = True
    answers = await score_each(models, 10)
    assert all(answer.invalid == {} for answer in answers)
    first.hangs = False
    before = samples_of(first)

    async def is_used() -> bool:
        await score_each(models, 4)
        return samples_of(first) > before

    await eventually(is_used)


async def test_without_any_replica_every_row_has_a_reason_at_once(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify"))
    known = (await models.models())[0]
    await server.stop()
    (answer,) = await score_each(models, 1)
    assert answer.invalid[0].code == "model_unavailable"
    assert answer.invalid[0].retryable
    await eventually(lambda: _is_away(models))
    info = await models.info("rm")
    assert (info.ready, info.version) == (False, known.version)  # enough to look up what is cached
    assert info.fault == "rm cannot be reached (ConnectError)."
    await server.start()
    await eventually(lambda: _is_ready(models))
    assert (await models.info("rm")).version == known.version


async def _is_ready(models: Any) -> bool:
    return bool((await models.info("rm")).ready)


async def _is_away(models: Any) -> bool:
    return not await _is_ready(models)


async def test_a_server_that_is_never_there_says_so(upstreams: OpenUpstreams) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        models = upstreams(rm=entry(FakeServer("vllm", port=taken.getsockname()[1]), "vllm_classify"))
        (info,) = await models.models()
        assert (info.ready, info.fault) == (False, "rm cannot be reached (ConnectError).")
        assert info.inputs == ("messages", "prompt", "response")


async def test_replicas_that_differ_are_refused_with_both_versions(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    first, second = await start("vllm"), await start("vllm", weights=1)
    alone = upstreams(a=entry(first, "vllm_classify"), b=entry(second, "vllm_classify"))
    versions = sorted(info.version for info in await alone.models())
    models = upstreams(rm=entry([first, second], "vllm_classify"))
    (info,) = await models.models()
    assert not info.ready
    assert info.fault == f"The servers of rm differ in their weights: versions {versions[0]} and {versions[1]}."
    (answer,) = await score_each(models, 1)
    assert (answer.invalid[0].code, answer.invalid[0].message) == ("model_unavailable", info.fault)
    second.weights = 0
    await eventually(lambda: _is_ready(models))


async def test_a_replica_that_comes_back_with_other_weights_gets_no_rows(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    first, second = await start("vllm"), await start("vllm")
    models = upstreams(rm=entry([first, second], "vllm_classify"))
    await models.models()
    await first.stop()
    await score_each(models, 4)
    first.weights, before = 1, samples_of(first)
    await first.start()
    await eventually(lambda: _is_away(models))
    await score_each(models, 8)
    assert samples_of(first) == before


async def test_replicas_with_a_version_of_their_entry_are_taken_at_their_word(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    servers = [await start("vllm"), await start("vllm", weights=1)]
    models = upstreams(rm=entry(servers, "vllm_classify", version="2026-11"))
    (info,) = await models.models()
    assert info.ready
    assert info.version.startswith("2026-11-")


async def test_a_name_stands_for_all_its_addresses(
    start: StartServer, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await start("vllm"), await start("vllm")
    found = [first.url, second.url]

    async def look_up(url: str) -> list[str] | None:
        assert url == "http://rm.example:8000"
        return found or None

    monkeypatch.setattr(replicas, "resolve_addresses", look_up)
    config = entry(first, "vllm_classify").model_copy(update={"urls": (), "dns": "http://rm.example:8000"})
    models = upstreams(rm=config)
    answers = await score_each(models, 20)
    assert all(answer.invalid == {} for answer in answers)
    assert samples_of(first)
    assert samples_of(second)
    assert {headers["host"] for headers in first.headers} == {"rm.example:8000"}
    found[:] = [second.url]
    before = samples_of(first)

    async def is_left() -> bool:
        nonlocal before
        before = samples_of(first)
        await score_each(models, 10)
        return samples_of(first) == before

    await eventually(is_left)
    found[:] = []  # a name server that fails takes no replica away
    assert all(answer.invalid == {} for answer in await score_each(models, 5))


class Noting(Observer):
    """Keeps what is told of replicas."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, str, str]] = []
        self.rows = 0
        self.breakers: list[tuple[str, BreakerState]] = []
        self.looks: list[tuple[str, bool | None]] = []

    def replica_call_started(self, kind: ReplicaKind, name: str, replica: str, rows: int) -> None:
        self.rows += rows

    def replica_call_finished(self, kind: ReplicaKind, name: str, replica: str, seconds: float, outcome: str) -> None:
        self.finished.append((name, replica, outcome))

    def replica_breaker_changed(self, kind: ReplicaKind, name: str, replica: str, state: BreakerState) -> None:
        self.breakers.append((replica, state))

    def upstream_checked(self, upstream: str, replica: str, reachable: bool | None) -> None:
        self.looks.append((replica, reachable))


async def test_what_replicas_do_is_told(start: StartServer, upstreams: OpenUpstreams) -> None:
    bad, good = await start("vllm"), await start("vllm")
    bad.fault = lambda path, body: Response(b"", 500) if "sample" in str(body) else None
    noted = Noting()
    await score_each(upstreams(noted, rm=entry([bad, good], "vllm_classify")), 12)
    labels = {name: f"127.0.0.1:{server.port}" for name, server in (("bad", bad), ("good", good))}
    outcomes = {(replica, outcome) for upstream, replica, outcome in noted.finished if upstream == "rm"}
    assert outcomes == {(labels["bad"], "model_unavailable"), (labels["good"], "ok")}
    assert noted.rows == len(noted.finished)
    assert (labels["bad"], "open") in noted.breakers
    assert (labels["good"], "open") not in noted.breakers


async def test_storms_of_single_samples_become_batches(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", input="response", limits={"in_flight": 2, "batch": 64}))
    await models.models()
    answers = await score_each(models, 500)
    assert [answer.values[0, 0] for answer in answers] == [
        pytest.approx(raw_scores(f"sample {k}")[0], abs=1e-5) for k in range(500)
    ]
    assert samples_of(server) < 100
    assert max(len(body["input"]) for body in server.asked) <= 64


async def test_no_more_calls_are_in_flight_than_the_entry_allows(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", limits={"in_flight": 3}))
    await models.models()
    server.most_running = 0
    answers = await score_each(models, 50)
    assert all(answer.invalid == {} for answer in answers)
    assert server.most_running <= 3 + 4  # with the looks' own


async def test_no_call_has_more_rows_than_a_server_says_that_it_takes(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    """TEI refuses a larger call as a whole, whose rows would then be asked about one by one."""
    servers = [await start("tei", most_rows=16), await start("tei", most_rows=8)]
    models = upstreams(rm=entry(servers, "tei_predict", limits={"in_flight": 2}))
    (info,) = await models.models()
    assert info.max_batch == 8
    answers = await score_each(models, 200)
    assert all(answer.invalid == {} for answer in answers)
    assert max(len(body["inputs"]) for server in servers for body in server.asked) == 8
    assert sum(map(samples_of, servers)) < 60


async def test_whether_a_replica_answers_is_told(start: StartServer, upstreams: OpenUpstreams) -> None:
    server, noted = await start("vllm"), Noting()
    models = upstreams(noted, rm=entry([server], "vllm_classify"))
    label = f"127.0.0.1:{server.port}"
    await models.models()
    assert noted.looks == [(label, True)], "before anything is scored"
    server.fault = lambda path, body: Response(b"", 500) if "sample" in str(body) else None
    await score_each(models, 12)
    assert (label, False) in noted.looks
    await until(lambda: noted.looks[-1] == (label, True))
    await models.close()
    assert noted.looks[-1] == (label, None)
