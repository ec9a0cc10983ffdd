"""The Compare page: what the API would answer for a file, beside each other, and nothing that stays behind."""

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.async_api import Browser, FilePayload
from reward_gateway.experiments.comparison import Comparison
from reward_gateway.lab.words import number
from scipy import stats

from tests.clock import LONGEST_WAIT_S
from tests.console.browser import Watched
from tests.console.conftest import MORE_RECIPES, Pages, Serve, build, listening
from tests.console.test_console import BROWSER, token_in
from tests.http.conftest import RECIPES

pytestmark = pytest.mark.anyio

EXPERIMENT = "experiments:\n  newer: {model: letters, candidate: pictures, fraction: 1.0}\n"

SAMPLES: list[dict[str, Any]] = [
    {"prompt": f"p{k % 5}", "response": "word " * (k % 4) + "x" * (k * 7 % 11), "id": f"s{k}"} for k in range(20)
]


def json_lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_of(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet_of(rows: Sequence[dict[str, Any]]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    held = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), held)
    return held.getvalue()


def payload(rows: Sequence[dict[str, Any]]) -> FilePayload:
    return {"name": "rows.jsonl", "mimeType": "application/json", "buffer": json_lines(rows)}


async def compare(
    client: httpx.AsyncClient, content: bytes, a: str, b: str, name: str = "rows.jsonl", **fields: str
) -> dict[str, str]:
    """The events of a comparison, the last of each name; ``progress`` holds all of them, a line each."""
    token = token_in((await client.get("/console/compare", headers=BROWSER)).text)
    answer = await client.post(
        "/console/compare/run",
        data={"a": a, "b": b, **fields},
        files={"file": (name, content)},
        headers={"x-csrf-token": token, "hx-request": "true"},
        timeout=LONGEST_WAIT_S,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = {}
    for part in answer.text.split("\n\n"):
        lines = part.split("\n")
        event = lines[0].removeprefix("event: ")
        data = "\n".join(line.removeprefix("data: ") for line in lines[1:])
        found[event] = f"{found[event]}\n{data}" if event == "progress" and event in found else data
    return found


async def ask(client: httpx.AsyncClient, reward: str, samples: Sequence[dict[str, Any]]) -> list[float]:
    answer = await client.post("/v1/score", json={"reward": reward, "samples": samples})
    return [row.get("reward_raw", row["reward"]) for row in answer.json()["results"]]


@pytest.mark.parametrize(("name", "write"), [("a.jsonl", json_lines), ("a.csv", csv_of), ("a.parquet", parquet_of)])
async def test_the_figures_are_those_of_what_the_api_answers(pages: Pages, name: str, write: Any) -> None:
    async with pages.client() as client:
        told = await compare(client, write(SAMPLES), "reward:plain", "reward:compared", name)
        a, b = [await ask(client, reward, SAMPLES) for reward in ("plain", "compared")]
    assert number(float(stats.pearsonr(a, b).statistic)) in told["result"]
    assert number(float(stats.spearmanr(a, b).statistic)) in told["result"]
    assert "within 5 prompts" in told["result"]
    words = [len(sample["response"].split()) / 100 for sample in SAMPLES]
    assert number(float(stats.linregress(words, a).slope)) in told["result"]
    distribution, scatter = json.loads(told["charts"])
    points = sorted(zip(a, b, strict=True))
    assert pytest.approx(np.array(points)) == np.array([scatter["series"][0]["x"], scatter["series"][0]["y"]]).T
    for side in distribution["series"]:
        assert sum(side["y"]) == pytest.approx(1)
    done = [json.loads(line)["done"] for line in told["progress"].split("\n")]
    assert done == sorted(done)
    assert done[-1] == len(SAMPLES)


async def test_a_file_that_score_wrote_is_compared_by_its_columns(pages: Pages) -> None:
    scored = [
        {**sample, "reward": float(k), "valid": k != 3, "error": None, "new.reward": -float(k), "new.valid": True}
        for k, sample in enumerate(SAMPLES)
    ]
    async with pages.client() as client:
        told = await compare(client, json_lines(scored), "column", "column", a_column="reward", b_column="new.reward")
        beside = await compare(client, csv_of(scored), "column", "reward:plain", "a.csv", a_column="reward")
    assert "−1" in told["result"]
    assert "1 of 20 samples without a reward (1 no number in the file)" in told["result"]
    assert "over 19 samples" in told["result"]
    assert "1 of 20 samples without a reward" in beside["result"]


async def test_texts_are_shown_in_the_answer_alone_and_escaped(pages: Pages) -> None:
    evil = "<img src=x onerror=alert(1)> & \r\n\n\nevent: progress"
    samples = [{"prompt": evil, "response": "b" * k + evil * (k % 2), "reward": -k} for k in range(6)]
    async with pages.client() as client:
        told = await compare(client, json_lines(samples), "reward:plain", "column", a_column="", b_column="reward")
    assert "<img" not in told["result"]
    assert "&lt;img src=x onerror=alert(1)&gt; &amp;" in told["result"]
    assert set(told) == {"progress", "result", "charts", ""}


async def test_a_row_that_is_no_sample_disturbs_no_other(pages: Pages) -> None:
    rows = [*SAMPLES, {"prompt": 7, "response": ["?"]}, {"prompt": "p"}, {"prompt": "p", "response": "x" * 200_001}]
    async with pages.client() as client:
        told = await compare(client, json_lines(rows), "reward:plain", "reward:mixed")
    assert "3 of 23 samples without a reward" in told["result"]
    assert "1 too_large" in told["result"]
    assert "1 missing_field" in told["result"]
    assert f"over {len(SAMPLES)} samples" in told["result"]


@pytest.mark.parametrize(
    ("content", "name", "a", "said"),
    [
        (b"{}\nno json\n", "a.jsonl", "reward:plain", "a.jsonl, line 2: not a JSON object"),
        (b"", "a.jsonl", "reward:plain", "a.jsonl has no rows"),
        (b"x", "a.txt", "reward:plain", "the name must end in .jsonl"),
        (b"question,answer\n1,2\n", "a.csv", "reward:plain", "no column response; it has: question, answer"),
        (b"prompt,response\n\xff,2\n", "a.csv", "reward:plain", "not UTF-8"),
        (b"PAR1", "a.parquet", "reward:plain", "a.parquet is not a Parquet file"),
        (json_lines(SAMPLES), "a.jsonl", "reward:nothing", "there is no reward of this name"),
        (json_lines(SAMPLES), "a.jsonl", "column", "the file has no column reward"),
        (json_lines(SAMPLES), "a.jsonl", "reward:mixed", "A and B are both mixed"),
        (json_lines(SAMPLES), "a.jsonl", "", "A: choose a recipe, a model or a column"),
    ],
)
async def test_what_cannot_be_compared_is_said_in_a_sentence(
    pages: Pages, content: bytes, name: str, a: str, said: str
) -> None:
    async with pages.client() as client:
        told = await compare(client, content, a, "reward:mixed", name, a_column="reward")
    assert said in told["result"]
    assert 'role="alert"' in told["result"]
    assert "charts" not in told


async def test_the_limits_of_the_service_bound_a_file(serve: Serve) -> None:
    async with serve(max_samples=4, max_job_samples=19, max_body_bytes=8192) as pages, pages.client() as client:
        told = await compare(client, json_lines(SAMPLES), "reward:plain", "reward:mixed")
        assert "rows.jsonl has 20 rows; at most 19 are compared" in told["result"]
        token = token_in((await client.get("/console/compare", headers=BROWSER)).text)
        answer = await client.post(
            "/console/compare/run",
            data={"a": "reward:plain", "b": "reward:mixed"},
            files={"file": ("a.jsonl", json_lines(SAMPLES * 10))},
            headers={"x-csrf-token": token, "hx-request": "true"},
        )
    assert answer.status_code == 413
    assert "8192" in answer.text


async def test_a_model_that_is_away_is_said(pages: Pages) -> None:
    pages.models.away = True
    async with pages.client() as client:
        told = await compare(client, json_lines(SAMPLES), "reward:plain", "reward:mixed")
    assert "the model server is away" in told["result"]


async def test_a_comparison_needs_the_pages_token_and_changes_nothing(guarded: Pages) -> None:
    async with guarded.client() as client:
        token = (await client.get("/console/login")).text.partition('name="csrf" value="')[2].partition('"')[0]
        await client.post("/console/login", data={"csrf": token, "key": "key-of-researcher"})
        fields, files = {"a": "reward:plain", "b": "reward:mixed"}, {"file": ("a.jsonl", json_lines(SAMPLES))}
        refused = await client.post("/console/compare/run", data=fields, files=files)
        assert refused.status_code == 403
        told = await compare(client, json_lines(SAMPLES), "reward:plain", "reward:mixed")
        assert "Spearman" in told["result"]
        runs = await client.get("/v1/runs", headers={"x-api-key": "key-of-researcher"})
    assert runs.json()["runs"] == []


async def test_who_leaves_cancels_the_work() -> None:
    pages = build()
    pages.models.gate.shut()
    async with listening(pages) as address, httpx.AsyncClient(base_url=address, headers=BROWSER) as client:
        token = token_in((await client.get("/console/compare")).text)
        async with client.stream(
            "POST",
            "/console/compare/run",
            data={"a": "reward:plain", "b": "reward:mixed"},
            files={"file": ("a.jsonl", json_lines(SAMPLES))},
            headers={"x-csrf-token": token},
        ) as answer:
            assert await anext(answer.aiter_lines()) == "event: progress"
            async with asyncio.timeout(LONGEST_WAIT_S):
                while not pages.models.running:
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(LONGEST_WAIT_S):
            while pages.models.running or pages.console.streams.open or pages.traffic.admission.in_flight:
                await asyncio.sleep(0.01)
        assert pages.models.cancelled


async def test_an_experiment_is_shown_with_its_charts() -> None:
    pages = build(recipes=RECIPES.replace("default: plain", MORE_RECIPES + EXPERIMENT + "default: plain"))
    comparison = Comparison()
    served = np.arange(30.0)
    candidate = np.roll(served, 3)
    words = [k % 7 for k in range(30)]
    comparison.add_samples(("1", "2"), [f"p{k // 3}" for k in range(30)], served, candidate, words)
    pages.gateway.shadow._comparisons["newer"] = comparison
    async with pages.client() as client:
        page = (await client.get("/console/compare", headers=BROWSER)).text
        shown = (await client.get("/console/compare/experiment", params={"name": "newer"})).text
        assert (await client.get("/console/compare/experiment", params={"name": "x"})).status_code == 404
    for html in (page, shown):
        assert number(float(stats.spearmanr(served, candidate).statistic)) in html
    assert "data-charts" in shown
    for values in (served, candidate):
        assert number(float(stats.linregress(np.array(words) / 100, values).slope)) in shown
    disagreements = shown.partition("Largest disagreements</h2>")[2]
    assert f"<code>p0</code></td><td>0</td><td>{number(candidate[0])}</td>" in disagreements
    assert "this one process" in shown
    assert "No experiment runs" not in page
    await pages.gateway.close()


@pytest.mark.slow
async def test_a_dropped_file_is_compared_in_every_look(chromium: Browser) -> None:
    pages = build()
    async with listening(pages) as address, Watched.open_tab(chromium, address) as tab:
        await tab.open("/console/compare")
        turned = [{**sample, "turned": -k} for k, sample in enumerate(SAMPLES)]
        await tab.page.set_input_files("#file", payload(turned))
        await tab.page.select_option("#a", "reward:mixed")
        await tab.page.select_option("#b", "column")
        await tab.page.fill("#b_column", "turned")
        await tab.page.focus("#start")
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_function("() => document.querySelectorAll('.chart canvas').length === 2")
        await tab.page.locator(".flips summary").first.click()
        await tab.check_every_look()
        await tab.page.focus(".skip")
        await tab.page.keyboard.press("Shift+Tab")
        await tab.walk_by_keyboard()
        assert "rows" not in tab.page.url
        pages.models.gate.shut()
        other = [{**sample, "response": sample["response"] + "new"} for sample in turned]
        await tab.page.set_input_files("#file", payload(other))
        await tab.page.click("#start")
        await tab.page.click("#cancel")
        await tab.page.wait_for_function("() => document.getElementById('status').textContent === 'Cancelled.'")
        pages.models.gate.open()
