"""``/v1/jobs``: what ``/v1/score`` would answer, later."""

import asyncio
import json
from typing import Any

import pytest
from reward_gateway.errors import ModelUnavailable
from reward_gateway.jobs import lease, runner, service
from reward_gateway.kept_samples.keeper import Filters, SampleKeeper
from reward_gateway.kept_samples.store import Bounds
from reward_gateway.recipes.book import load_book
from reward_gateway.state.jobs import TakenPiece

from tests.clock import until
from tests.jobs.conftest import Served

pytestmark = pytest.mark.anyio


def samples(*responses: str, **more: Any) -> dict[str, Any]:
    return {"samples": [{"prompt": "p", "response": text} for text in responses], **more}


async def test_a_job_answers_what_scoring_answers(served: Served) -> None:
    body = {
        "samples": [
            {"id": "first", "prompt": "p", "response": "a", "metadata": {"task": "math"}},
            {"prompt": "p", "response": "abc"},
            {"prompt": "p"},
        ]
    }
    accepted = await served.submit(body)
    assert accepted["status"] == "queued"
    assert (accepted["samples"], accepted["expires_s"]) == (3, 3600)
    job = await served.finish(accepted["job"])
    assert (job["status"], job["completed"], job["error"]) == ("done", 3, None)
    scored = (await served.client.post("/v1/score", json=body)).json()
    assert [job["reward"], job["recipe_version"]] == [scored["reward"], scored["recipe_version"]]
    assert job["usage"] == scored["usage"]
    assert sorted(job["results"], key=lambda row: row["index"]) == [
        {"index": place, **row} for place, row in enumerate(scored["results"])
    ]


async def test_a_large_job_is_scored_in_pieces(served: Served) -> None:
    body = samples(*("x" * (place % 7) for place in range(600)))
    job = await served.finish((await served.submit(body))["job"])
    assert {row["index"]: row["reward"] for row in job["results"]} == {place: place % 7 for place in range(600)}
    assert {row["id"] for row in job["results"]} == {str(place) for place in range(600)}
    assert job["usage"]["samples"] == 600


async def test_a_job_without_samples_is_done(served: Served) -> None:
    job = await served.finish((await served.submit({"samples": []}))["job"])
    assert (job["status"], job["results"]) == ("done", [])


async def test_a_grouped_job_says_which_number_it_answers(served: Served) -> None:
    body = samples("a", "abc", reward="grouped")
    job = await served.finish((await served.submit(body))["job"])
    assert job["answer"] == (await served.client.post("/v1/score", json=body)).json()["answer"]


async def test_groups_are_never_torn_apart(served: Served) -> None:
    rows = [{"prompt": f"p{place % 100}", "response": "x" * place} for place in range(800)]
    body = {"reward": "grouped", "samples": rows}
    job = await served.finish((await served.submit(body))["job"])
    scored = (await served.client.post("/v1/score", json=body)).json()
    assert {row["index"]: row["reward"] for row in job["results"]} == pytest.approx(
        {place: row["reward"] for place, row in enumerate(scored["results"])}
    )
    assert job["groups"] == scored["groups"]
    assert len(job["groups"]) == 100


async def test_a_recipe_with_state_counts_each_sample_once(served: Served) -> None:
    body = samples(*("x" * (place % 5) for place in range(400)), reward="running")
    job = await served.finish((await served.submit(body, X_Run="r"))["job"])
    assert job["completed"] == 400
    state = (await served.client.get("/v1/state/moments/lengths", headers={"X-Run": "r"})).json()
    assert state["value"]["count"] == 400


async def test_the_samples_of_a_recipe_with_state_are_scored_in_pieces_and_combined_once(served: Served) -> None:
    rows = [{"prompt": "p", "response": "x" * (place % 7), "group": str(place % 3)} for place in range(700)]
    body = {"reward": "running", "samples": rows}
    job = await served.finish((await served.submit(body, X_Run="pieces"))["job"])
    scored = (await served.client.post("/v1/score", json=body, headers={"X-Run": "once"})).json()
    assert [without_source(row) for row in job["results"]] == [
        {"index": place, **without_source(row)} for place, row in enumerate(scored["results"])
    ]
    assert job["usage"]["samples"] == 700
    assert job["usage"]["model_calls"] >= scored["usage"]["model_calls"] == 1
    states = [
        (await served.client.get("/v1/state/moments/lengths", headers={"X-Run": run})).json()["value"]
        for run in ("pieces", "once")
    ]
    assert states[0] == states[1]


async def test_the_pieces_of_a_job_move_a_multiplier_once(served: Served) -> None:
    body = samples(*("x" * (place % 5) for place in range(400)), reward="constrained")
    job = await served.finish((await served.submit(body, X_Run="pieces"))["job"])
    scored = (await served.client.post("/v1/score", json=body, headers={"X-Run": "once"})).json()
    assert [row["reward"] for row in job["results"]] == [row["reward"] for row in scored["results"]]
    states = [
        (await served.client.get("/v1/state/coefficients/wordy", headers={"X-Run": run})).json()["value"]
        for run in ("pieces", "once")
    ]
    assert states[0] == states[1]
    assert states[0]["updates"] == 1


def without_source(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("id", "job", "group", "metadata")}


async def test_a_piece_that_is_lost_is_scored_again_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "HALVED_AFTER", 0)
    rows = [{"prompt": f"p{place}", "response": "x" * (place % 7)} for place in range(600)]
    body = {"reward": "running", "samples": rows}
    job = (await served.submit(body, X_Run="lost"))["job"]
    async with asyncio.timeout(60):
        while served.models.rows < 1:  # every piece is halved for ever: single samples are scored at last
            await asyncio.sleep(0.05)
    monkeypatch.setattr(runner, "HALVED_AFTER", 3)
    done = await served.finish(job)
    assert (done["completed"], served.models.rows) == (600, 600)
    state = (await served.client.get("/v1/state/moments/lengths", headers={"X-Run": "lost"})).json()
    assert state["value"]["count"] == 600


async def test_the_piece_that_combines_a_job_is_never_divided(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    store = served.gateway.runtime.state.jobs
    record_ahead, parts = store.record_ahead, []

    async def record(taken: TakenPiece, scored: bytes) -> bool:
        parts.append(taken.piece)
        if len(parts) == 3:  # the last: from here on every piece counts as lost too often
            monkeypatch.setattr(runner, "HALVED_AFTER", 0)
        return await record_ahead(taken, scored)

    monkeypatch.setattr(store, "record_ahead", record)
    body = samples(*("x" * (place % 5) for place in range(600)), reward="running")
    done = await served.finish((await served.submit(body))["job"])
    assert (done["status"], done["completed"], len(parts)) == ("done", 600, 3)
    assert all(row["valid"] for row in done["results"])


async def test_a_sample_that_cannot_be_scored_fails_a_strict_job_of_many_pieces(served: Served) -> None:
    rows = [{"prompt": "p", "response": "x"} for _ in range(600)]
    strict = {"reward": "strict", "samples": rows}
    assert (await served.finish((await served.submit(strict))["job"]))["status"] == "done"
    del rows[500]["response"]
    failed = await served.finish((await served.submit(strict))["job"])
    assert (failed["status"], failed["error"]["param"]) == ("failed", "samples[500].response")


async def test_a_job_of_many_pieces_is_cancelled_between_its_steps(served: Served) -> None:
    served.models.gate.shut()
    body = samples(*("x" * (place % 5) for place in range(600)), reward="running")
    job = (await served.submit(body, X_Run="r"))["job"]
    cancelled = (await served.client.delete(f"/v1/jobs/{job}")).json()
    served.models.gate.open()
    assert (cancelled["status"], cancelled["completed"]) == ("cancelled", 600)
    assert (await served.client.get("/v1/state/moments/lengths", headers={"X-Run": "r"})).status_code == 404


async def test_a_bad_body_is_refused_as_by_scoring(served: Served) -> None:
    for body in (samples("a", reward="nothing"), {"samples": [{"response": 1}]}, samples("a", options={"x": 1})):
        scored = await served.client.post("/v1/score", json=body)
        refused = await served.client.post("/v1/jobs", json=body)
        assert refused.status_code == scored.status_code
        assert refused.json() == scored.json()


async def test_an_option_that_the_recipe_does_not_allow_is_refused(served: Served) -> None:
    for reward, deliver in (("grouped", "sample"), ("running", "sample"), ("running", "group")):
        answer = await served.submit(samples("a", "b", reward=reward, options={"deliver": deliver}), 422)
        assert answer["error"]["param"] == "options.deliver"
    answer = await served.submit(samples("a", options={"expires_s": 5}), 422)
    assert "expires_s" in answer["error"]["message"]


async def test_a_key_makes_a_repeat_the_same_job(served: Served) -> None:
    first = await served.submit(samples("a"), Idempotency_Key="k")
    assert (await served.submit(samples("a"), Idempotency_Key="k"))["job"] == first["job"]
    assert (await served.submit(samples("b"), 409, Idempotency_Key="k"))["error"]["code"] == "idempotency_conflict"
    assert (await served.submit(samples("a")))["job"] != first["job"]


async def test_a_reader_is_answered_as_soon_as_anything_is_new(served: Served) -> None:
    served.models.gate.shut()
    job = (await served.submit(samples("a")))["job"]
    page = (await served.client.get(f"/v1/jobs/{job}")).json()
    assert (page["completed"], page["results"]) == (0, [])
    reading = asyncio.create_task(served.client.get(f"/v1/jobs/{job}", params={"wait_s": 50}))
    await asyncio.sleep(0.1)
    assert not reading.done()
    served.models.gate.open()
    assert [row["reward"] for row in (await reading).json()["results"]] == [1.0]


async def test_the_end_comes_with_the_last_results(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    job = (await served.submit(samples("a", "b", "c"), X_Run="r"))["job"]
    await served.finish(job)
    page = (await served.client.get(f"/v1/jobs/{job}")).json()
    assert (page["status"], len(page["results"]), page["completed"]) == ("running", 2, 3)
    last = (await served.client.get(f"/v1/jobs/{job}", params={"after": page["cursor"]})).json()
    assert (last["status"], len(last["results"])) == ("done", 1)


async def test_waiting_takes_no_place_of_those_who_work(served: Served) -> None:
    served.models.gate.shut()
    job = (await served.submit(samples("a")))["job"]
    admission = served.app.state.dependencies.traffic.admission
    before = admission.in_flight
    reading = asyncio.create_task(served.client.get(f"/v1/jobs/{job}", params={"wait_s": 50}))
    await asyncio.sleep(0.1)
    assert admission.in_flight <= before + 1  # that of the piece
    served.models.gate.open()
    await reading


async def test_events_are_the_pages_and_go_on_where_they_stopped(served: Served) -> None:
    job = (await served.submit(samples("a", "ab")))["job"]
    await served.finish(job)
    text = (await served.client.get(f"/v1/jobs/{job}/events")).text
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in text.strip().split("\n\n")]
    assert [event["event"] for event in events] == ["results", "end"]
    assert [row["reward"] for row in json.loads(events[0]["data"])["results"]] == [1.0, 2.0]
    rest = (await served.client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": events[0]["id"]})).text
    assert rest.startswith(f"id: {events[0]['id']}\nevent: end\n")


async def test_what_waits_ends_with_the_gateway(served: Served) -> None:
    served.models.gate.shut()
    job = (await served.submit(samples("a"), X_Run="r"))["job"]
    ask = served.client.get
    waiting = [
        asyncio.create_task(ask(f"/v1/jobs/{job}", params={"wait_s": 50})),
        asyncio.create_task(ask("/v1/runs/r/results", params={"wait_s": 50})),
        asyncio.create_task(ask(f"/v1/jobs/{job}/events")),
    ]
    drain = served.app.state.dependencies.traffic.drain
    await until(lambda: drain.in_progress == 3)
    drain.begin()
    read, taken, followed = [await answer for answer in waiting]
    assert {answer.json()["error"]["code"] for answer in (read, taken)} == {"draining"}
    assert followed.text.count("event: ") == 1


async def test_cancelling_answers_the_samples_that_are_left(served: Served) -> None:
    served.models.gate.shut()
    job = (await served.submit(samples("a", "b")))["job"]
    cancelled = (await served.client.delete(f"/v1/jobs/{job}")).json()
    assert (cancelled["status"], cancelled["completed"]) == ("cancelled", 2)
    assert {row["error"]["code"] for row in cancelled["results"]} == {"cancelled"}
    served.models.gate.open()
    again = (await served.client.delete(f"/v1/jobs/{job}")).json()
    assert again["results"] == cancelled["results"]


async def test_cancelling_answers_a_runs_consumers_too(served: Served) -> None:
    served.models.gate.shut()
    body = {"samples": [{"prompt": "p", "response": "a", "group": "g", "metadata": {"n": 1}}]}
    job = (await served.submit(body, X_Run="r"))["job"]
    await served.client.delete(f"/v1/jobs/{job}")
    (row,) = (await served.client.get("/v1/runs/r/results", params={"wait_s": 10})).json()["results"]
    assert (row["job"], row["group"], row["metadata"], row["error"]["code"]) == (job, "g", {"n": 1}, "cancelled")
    served.models.gate.open()


@pytest.mark.parametrize("place", ["x", "1-", "-1", "1-2-3", "\uff11", "9" * 20, "1" * 65])
async def test_what_is_no_place_in_a_stream_is_refused(served: Served, place: str) -> None:
    job = (await served.submit(samples("a")))["job"]
    answer = await served.client.get(f"/v1/jobs/{job}", params={"after": place})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "after")
    answer = await served.client.post("/v1/runs/r/results:ack", json={"receipts": [place]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "receipts[0]")


async def test_a_place_that_another_store_gave_is_read(served: Served) -> None:
    job = (await served.submit(samples("a")))["job"]
    assert (await served.client.get(f"/v1/jobs/{job}", params={"after": "9-1"})).status_code == 200


async def test_a_job_of_nobody_is_not_found(served: Served) -> None:
    for answer in (
        await served.client.get("/v1/jobs/j_none"),
        await served.client.delete("/v1/jobs/j_none"),
        await served.client.get("/v1/jobs/j_none/events"),
    ):
        assert answer.status_code == 404


async def test_a_job_that_must_not_fail_says_why(served: Served) -> None:
    body = {"reward": "strict", "samples": [{"prompt": "p"}, {"prompt": "p", "response": "a"}]}
    job = await served.finish((await served.submit(body))["job"])
    assert (job["status"], job["error"]["code"]) == ("failed", "unscorable_sample")


async def test_a_deadline_counts_from_the_submission(served: Served) -> None:
    served.models.gate.shut()
    job = (await served.submit(samples("a", options={"deadline_ms": 50})))["job"]
    results = (await served.finish(job))["results"]
    assert [row["error"]["code"] for row in results] == ["deadline_exceeded"]


async def test_the_recipe_is_the_one_of_the_submission(served: Served) -> None:
    served.models.gate.shut()
    held = [(await served.submit(samples("a")))["job"] for _ in range(5)]  # more than are scored at once
    known = served.gateway.runtime.known_models()
    changed = "rewards: {plain: {components: {n: {score: length, transforms: [{affine: {scale: 9.0}}]}}}}"
    served.gateway.book = load_book(changed, known)
    new = (await served.submit(samples("a")))["job"]
    served.models.gate.open()
    assert [(await served.finish(job))["results"][0]["reward"] for job in held] == [1.0] * 5
    assert (await served.finish(new))["results"][0]["reward"] == 9.0


async def test_a_server_that_is_away_is_asked_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RETRY_S", (0.01, 0.01))
    served.models.failures += [ModelUnavailable("away")]
    job = await served.finish((await served.submit(samples("a")))["job"])
    assert job["status"] == "done"
    assert served.models.failures == []


async def test_a_worker_that_stops_leaves_its_piece_to_another(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.3)
    served.models.gate.shut()
    job = (await served.submit(samples("a")))["job"]
    page = (await served.client.get(f"/v1/jobs/{job}")).json()
    await served.runner.close()
    served.models.gate.open()
    served.runner.start()
    done = await served.finish(job)
    assert page["completed"] == 0
    assert [row["reward"] for row in done["results"]] == [1.0]


@pytest.mark.parametrize("settings", [{"job_concurrency": 1, "max_in_flight": 1}], indirect=True)
async def test_samples_that_wait_for_their_cohort_hold_nobody_up(served: Served) -> None:
    first, second = ("x", "xxx")
    waiting = (await served.submit(samples(first, reward="compared")))["job"]
    await until_parked(served)
    other = await served.finish((await served.submit(samples("a")))["job"])
    assert other["results"][0]["reward"] == 1.0
    assert (await served.client.get(f"/v1/jobs/{waiting}")).json()["completed"] == 0
    joining = await served.finish((await served.submit(samples(second, reward="compared")))["job"])
    done = await served.finish(waiting)
    assert [done["results"][0]["reward"], joining["results"][0]["reward"]] == [-1.0, 1.0]
    assert done["results"][0]["flags"] == []


async def test_a_worker_that_stops_leaves_a_parked_sample_to_another(served: Served) -> None:
    waiting = (await served.submit(samples("x", reward="compared")))["job"]
    await until_parked(served)
    await served.runner.close()
    served.runner.start()
    await served.submit(samples("xxx", reward="compared"))
    done = await served.finish(waiting)
    assert (done["results"][0]["reward"], done["results"][0]["flags"]) == (-1.0, [])


async def until_parked(served: Served) -> None:
    """Wait until a piece has left the line."""
    jobs = served.gateway.runtime.state.jobs
    parked = asyncio.Event()
    park = jobs.park

    async def note(taken: TakenPiece, seconds: float) -> None:
        await park(taken, seconds)
        parked.set()

    jobs.park = note  # type: ignore[method-assign]
    async with asyncio.timeout(30):
        await parked.wait()


async def test_a_piece_that_costs_its_workers_is_halved_and_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HALVED_AFTER", 0)
    monkeypatch.setattr(runner, "GIVEN_UP_AFTER", 0)
    job = await served.finish((await served.submit(samples("a", "b", "c")))["job"])
    assert {row["index"]: row["error"]["code"] for row in job["results"]} == dict.fromkeys(range(3), "worker_lost")


async def test_results_of_a_run_wait_in_its_queue_until_they_are_acknowledged(served: Served) -> None:
    rows = [{"prompt": "p", "response": "x" * n, "metadata": {"n": n}} for n in range(4)]
    body = {"samples": [{**row, "group": "even" if n % 2 == 0 else "odd"} for n, row in enumerate(rows)]}
    job = (await served.submit({**body, "reward": "grouped"}, X_Run="r"))["job"]
    await served.finish(job)
    url = "/v1/runs/r/results"
    taken = (await served.client.get(url, params={"wait_s": 10})).json()["results"]
    assert [row["index"] for row in taken] == [0, 2, 1, 3]
    assert {row["job"] for row in taken} == {job}
    assert [row["metadata"]["n"] for row in taken] == [0, 2, 1, 3]
    assert [row["group"] for row in taken] == ["even", "even", "odd", "odd"]
    assert taken[0]["receipt"] == taken[1]["receipt"] != taken[2]["receipt"]
    assert (await served.client.get(url)).json()["results"] == []
    receipts = {"receipts": sorted({row["receipt"] for row in taken})}
    assert (await served.client.post(f"{url}:ack", json=receipts)).json() == {"removed": 2}
    assert (await served.client.post(f"{url}:ack", json=receipts)).json() == {"removed": 0}
    assert (await served.client.delete(url)).json() == {"removed": 0}


@pytest.mark.parametrize("reward", ["plain", "grouped", "running"])
async def test_a_job_counts_once_for_its_run_when_it_is_scored(served: Served, reward: str) -> None:
    samples = [{"prompt": f"p{k % 2}", "response": "x" * k} for k in range(600)]
    served.models.gate.shut()
    job = await served.submit({"reward": reward, "samples": samples}, x_run="r", x_run_step="7")
    assert (await served.client.get("/v1/runs/r")).status_code == 404
    served.models.gate.open()
    await served.finish(job["job"])
    told = (await served.client.get("/v1/runs/r", params={"bucket": "step"})).json()
    (row,) = told["rewards"][reward]["series"]
    assert (told["samples"], row["step"], row["n"]) == (600, 7, 600)
    if reward != "running":
        assert row["mean"] == pytest.approx(299.5)


async def test_samples_of_a_job_are_kept_once_where_some_are(served: Served) -> None:
    keeper = served.gateway.samples = SampleKeeper.in_process(Bounds(1000, 1 << 24, 60.0))
    body = {"reward": "running", "samples": [{"prompt": "p", "response": "x" * (k % 9)} for k in range(300)]}
    await served.finish((await served.submit(body, x_run="r", x_run_step="7"))["job"])
    page = await keeper.list_page(Filters(run="r"), "newest", None, 500)
    assert (page.total, {sample["step"] for sample in page.samples}) == (300, {7})


async def test_what_waits_and_what_was_scored_is_measured(served: Served) -> None:
    await served.finish((await served.submit(samples("a", "b")))["job"])
    scored = served.app.state.dependencies.telemetry.metrics.render
    await until(lambda: b"job_samples_scored_total 2.0" in scored())
    await served.runner._count()
    page = (await served.client.get("/metrics")).text
    for line in ("job_samples_scored_total 2.0", "jobs_waiting 0.0", "job_oldest_age_seconds 0.0"):
        assert f"reward_gateway_{line}" in page
    for name in ("job_queued_seconds", "job_piece_duration_seconds"):
        assert f"reward_gateway_{name}_count 1.0" in page


async def test_a_job_may_stay_out_of_the_queue(served: Served) -> None:
    await served.finish((await served.submit(samples("a", options={"queue": False}), X_Run="r"))["job"])
    assert (await served.client.get("/v1/runs/r/results")).json()["results"] == []


async def test_what_a_consumer_asks_for_is_checked(served: Served) -> None:
    for params in ({"max": 0}, {"visibility_s": 0.5}, {"wait_s": 1e9}, {"consumer": ""}, {"max": "x"}):
        answer = await served.client.get("/v1/runs/r/results", params=params)
        assert answer.status_code == 422, params
        assert answer.json()["error"]["param"] == next(iter(params))
    answer = await served.client.post("/v1/runs/r/results:ack", json={"receipts": ["x"]})
    assert answer.json()["error"]["param"] == "receipts[0]"


async def test_a_recipe_whose_judge_is_not_configured_is_refused_at_once(served: Served) -> None:
    answer = await served.client.post("/v1/jobs", json={**samples("a"), "reward": "judged"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_set_up")


@pytest.mark.parametrize("settings", [{"jobs": False}, {"workers": 2}], indirect=True)
async def test_a_gateway_that_cannot_take_jobs_says_so(served: Served, settings: Any) -> None:
    if settings.jobs and served.gateway.runtime.state.jobs.shared:
        return
    answer = await served.client.post("/v1/jobs", json=samples("a"))
    assert answer.json()["error"]["code"] == ("not_set_up" if not settings.jobs else "state_unavailable")


async def test_callers_share_the_line(served: Served) -> None:
    served.models.gate.shut()
    limits = served.app.state.dependencies.jobs
    limits._limits = type(limits._limits)(samples=4, jobs=10)
    await served.submit(samples("a", "b"))
    assert (await served.submit(samples("a", "b"), 429))["error"]["code"] == "rate_limited"
    assert (await served.submit(samples("a", "b", "c"), 503))["error"]["code"] == "overloaded"
    served.models.gate.open()
    await until(lambda: served.models.rows == 2)
