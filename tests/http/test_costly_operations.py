"""Operations whose cost a caller chooses: off the event loop, under the deadline, refused where nothing bounds them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
from reward_gateway.backends.workers.pool import NotDone, WorkerPool

from tests.clock import Clock, until
from tests.http.conftest import Served, serving
from tests.worker_processes import pids_of

pytestmark = pytest.mark.anyio

TEXT = "alpha beta gamma delta " * 8000
"""As long as a text may be, less a little."""

MATRIX = [[0.5] * 64] * 64

COSTLY: list[tuple[str, Any, dict[str, Any]]] = [
    ("score/regex_match", {"response": "a"}, {"pattern": "(a+)+b"}),
    ("score/json_schema", {"response": "{}"}, {"json_schema": {"type": "object"}}),
    ("score/ot_alignment", {"cost": MATRIX}, {}),
    ("score/rouge", {"response": TEXT, "reference": TEXT}, {}),
    ("score/bleu", {"response": TEXT, "reference": TEXT}, {}),
    ("score/edit_similarity", {"response": TEXT[:20_000], "reference": TEXT[1:20_001]}, {}),
    ("score/vendi", {"embeddings": [[float(i % 7), 1.0] for i in range(500)]}, {}),
    ("score/novelty", [{"archive": "a", "descriptor": [float(i)] * 8} for i in range(200)], {}),
    (
        "audit/mrm_probe",
        {
            "train_hidden": [[float(i), 1.0] for i in range(300)],
            "train_labels": ["a", "b", "c"] * 100,
            "test_hidden": [[0.0, 1.0]],
            "test_labels": ["a"],
        },
        {},
    ),
    ("audit/perceptual_fit", {"demos": [[[float(i), 0.0] for i in range(2000)]]}, {"steps": 8}),
    ("audit/peer_review", {"pairs": [{"margin_a": 1.0, "margin_b": 0.5}] * 20_000}, {}),
    ("audit/preference_topology", {"edges": [[i, i + 1, 1.0] for i in range(1000)]}, {}),
    ("audit/template_convergence", {"responses": [str(i) for i in range(2000)]}, {}),
    ("combine/tournament", {"n": 300, "games": [{"i": i, "j": i + 1, "result": 1.0} for i in range(299)]}, {}),
    ("score/majority_vote", [{"response": f"{i} " * 500, "group": "g"} for i in range(256)], {"mode": "math"}),
    ("score/judge_tournament", [{"response": f"{i} " * 2000, "group": "g"} for i in range(30)], {}),
    ("score/self_certainty", {"logprobs": [[-8.0] * 3000] * 200}, {}),
    (
        "credit/verpo",
        {"group": [{"turn_pass": [[1.0] * 2000]}]},
        {"alpha": 1.0, "sigma": 1.0, "delta": 0.1, "beta": 1.0, "gamma": 0.9},
    ),
]


@pytest.fixture(scope="module")
async def small(anyio_backend: str) -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


def is_computing(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has just been ended
        return psutil.Process(pid).status() == psutil.STATUS_RUNNING
    return False


async def apply(served: Served, path: str, items: Any, params: dict[str, Any], **headers: str) -> Any:
    body = json.dumps({"items": items if isinstance(items, list) else [items], "params": params}).encode()
    return await served.client.post(f"/v1/{path}", content=body, headers=headers)


@pytest.mark.parametrize(("path", "items", "params"), COSTLY, ids=[path for path, _, _ in COSTLY])
async def test_what_may_take_long_is_given_to_a_worker(
    small: Served, monkeypatch: pytest.MonkeyPatch, path: str, items: Any, params: dict[str, Any]
) -> None:
    given: list[Any] = []

    async def refuse(self: WorkerPool, work: Any, deadline: float | None = None, **more: Any) -> Any:
        given.append(work)
        raise NotDone("time")

    monkeypatch.setattr(WorkerPool, "run", refuse)
    answer = await apply(small, path, items, params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded"), "it was done on the loop"
    assert len(given) == 1


@pytest.mark.parametrize(
    ("path", "items", "params"),
    [
        ("transform/affine", [{"reward": 1.0}] * 1024, {"scale": 2.0}),
        ("score/length_penalty", [{"response": "word " * 30}] * 256, {}),
        ("score/exact_match", [{"response": "a b", "reference": "a b"}] * 128, {}),
    ],
)
async def test_what_is_cheap_stays_in_the_process(
    small: Served, monkeypatch: pytest.MonkeyPatch, path: str, items: Any, params: dict[str, Any]
) -> None:
    monkeypatch.delattr(WorkerPool, "run")
    answer = await apply(small, path, items, params)
    assert answer.status_code == 200, answer.text
    assert {result["error"] for result in answer.json()["results"]} == {None}


@pytest.mark.parametrize(
    ("why", "status", "code"),
    [("time", 504, "deadline_exceeded"), ("memory", 413, "too_large"), ("lost", 503, "unavailable")],
)
async def test_work_that_was_not_finished_is_an_error_of_its_request(
    small: Served, monkeypatch: pytest.MonkeyPatch, why: Any, status: int, code: str
) -> None:
    async def fail(self: WorkerPool, *args: Any, **more: Any) -> Any:
        raise NotDone(why)

    monkeypatch.setattr(WorkerPool, "run", fail)
    answer = await apply(small, "score/regex_match", {"response": "a"}, {"pattern": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("path", "params", "param"),
    [
        ("score/regex_match", {"pattern": "(?:(?:a{1000}){1000}){1000}"}, "params.pattern"),
        ("score/json_schema", {"json_schema": {"pattern": "(?:(?:a{1000}){1000}){1000}"}}, "params.json_schema"),
    ],
)
async def test_a_pattern_beyond_all_limits_is_refused_with_its_field(
    small: Served, path: str, params: dict[str, Any], param: str
) -> None:
    answer = await apply(small, path, {"response": "a"}, params)
    Served.refused(answer, 422, param)


async def test_a_deadline_ends_the_computation_and_the_loop_goes_on_meanwhile(small: Served, clock: Clock) -> None:
    pool: WorkerPool = small.app.state.dependencies.gateway.runtime.workers
    assert (await apply(small, "score/ot_alignment", {"cost": [[0.5]]}, {})).status_code == 200
    items = [{"cost": [[((i * j) % 97) / 97 for i in range(64)] for j in range(64)]}] * 2
    request = asyncio.create_task(
        apply(small, "score/ot_alignment", items * 200, {}, **{"X-Request-Deadline-Ms": "600000"})
    )
    await until(lambda: any(worker.reply for worker in pool._all))
    for _ in range(20):
        assert (await small.client.get("/livez")).status_code == 200
    assert not request.done()
    await clock.advance(601)
    answer = await request
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    await until(lambda: not any(is_computing(pid) for pid in pids_of(pool)))


async def test_a_large_body_is_decoded_by_the_worker_with_the_same_answer(small: Served) -> None:
    items = [{"response": f"{i} words " * 50} for i in range(3000)]
    answer = await apply(small, "score/response_length", items, {})
    assert answer.status_code == 200, answer.text
    assert [result["reward"] for result in answer.json()["results"]] == [100.0] * 3000
    broken = await small.client.post("/v1/score/response_length", content=b'{"items": [' + b"[1]," * 50_000)
    Served.refused(broken, 400)
    items[7] = {"response": 7}  # type: ignore[dict-item]
    Served.refused(await apply(small, "score/response_length", items, {}), 422, "items[7].response")
