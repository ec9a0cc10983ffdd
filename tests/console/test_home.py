"""Home: what can answer and why not, what was counted, what is found, and a request that works as it stands."""

import asyncio
import shlex
from html import unescape
from pathlib import Path

import pytest
from prometheus_client.samples import Sample
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker
from reward_gateway.console.activity import Activity, Totals, sum_counters
from reward_gateway.console.search import find
from reward_gateway.telemetry.metrics import Metrics

from tests.console.browser import Watched
from tests.console.conftest import Pages, Serve
from tests.console.test_console import BROWSER
from tests.http.conftest import RECIPES

pytestmark = pytest.mark.anyio


async def read_home(pages: Pages) -> str:
    async with pages.client() as client:
        return unescape((await client.get("/", headers=BROWSER)).text)


async def test_it_says_which_recipes_cannot_answer_and_why(pages: Pages) -> None:
    assert "All 5 recipes answer; plain is the default." in await read_home(pages)
    pages.models.lost.add("pictures")
    page = await read_home(pages)
    assert "Degraded" in page
    assert "1 of 5 recipes cannot" in page
    assert "looks" in page
    pages.models.lost.add("letters")
    assert "The default recipe plain cannot answer: " in await read_home(pages)
    pages.traffic.drain.begin()
    async with pages.client() as client:
        assert (await client.get("/", headers=BROWSER)).status_code == 503


async def test_what_nobody_has_set_up_is_no_fault(serve: Serve) -> None:
    judged = "rewards:\n  judged: {components: {a: {score: judge_rubric, params: {judge: strict}}}}"
    async with serve(recipes=RECIPES.replace("rewards:", judged, 1)) as pages:
        page = await read_home(pages)
    assert "Degraded" not in page
    assert "recipes answer; plain is the default." in page
    assert "1 recipe not set up: a judge or a model is missing" in page
    assert "there is no judge 'strict'" in page


async def test_what_is_away_is_said_and_all_is_not_well(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.console.parts.stores, "describe", lambda: {"cache": "ready", "state": "away"})
    config = JudgeConfig(name="strict", base_url="http://127.0.0.1:9", model="m", retries=0)
    judges = Judges([config], lambda changed: Breaker(1, asyncio.get_running_loop().time, changed=changed))
    monkeypatch.setattr(pages.gateway.runtime, "judges", judges)
    await judges.ask("strict", [[{"role": "user", "content": "q"}]])
    page = await read_home(pages)
    assert "Degraded" in page
    assert "The store of state cannot be reached." in page
    assert "The judge strict has failed repeatedly" in page
    assert "The store of cache" not in page


async def test_it_lists_the_models_and_says_where_none_answers(pages: Pages) -> None:
    page = await read_home(pages)
    assert "<code>letters</code>" in page
    pages.models.away = True
    assert "No model server answers" in await read_home(pages)


async def test_the_request_is_to_this_host_and_works_as_it_stands(pages: Pages) -> None:
    page = await read_home(pages)
    command = page.split('aria-label="request" role="region"><code>')[1].split("</code>")[0]
    program, silent, url, header, kind, data, body = shlex.split(command.replace("\\\n", ""))
    assert (program, silent, url, header, data) == ("curl", "-s", "http://localhost:8080/v1/score", "-H", "-d")
    async with pages.client() as client:
        name, _, value = kind.partition(": ")
        answer = await client.post(url, content=body, headers={name: value})
    assert answer.json()["results"][0]["valid"]


async def test_behind_a_proxy_the_request_has_its_address(serve: Serve) -> None:
    async with serve(root_path="/rewards", allowed_hosts=("gate.example",)) as pages, pages.client() as client:
        proxied = {**BROWSER, "host": "gate.example", "x-forwarded-proto": "https"}
        assert "curl -s https://gate.example/rewards/v1/score" in (await client.get("/", headers=proxied)).text


async def test_with_keys_the_request_has_a_place_for_one(serve: Serve, keys_file: Path) -> None:
    from tests.console.test_login import log_in

    async with serve(api_keys_file=keys_file) as pages, pages.client() as client:
        await log_in(client, "key-of-researcher")
        page = (await client.get("/", headers=BROWSER)).text
        assert '-H "Authorization: Bearer $REWARD_GATEWAY_API_KEY"' in page


async def test_figures_are_what_was_counted_between_two_notes(pages: Pages) -> None:
    activity = pages.console.parts.activity
    assert "No figures yet" in await read_home(pages)
    await activity.note()
    async with pages.client() as client:
        body = {"samples": [{"prompt": "p", "response": "a"}, {"prompt": "p", "response": "b"}]}
        for _ in range(3):
            assert (await client.post("/v1/score", json=body)).status_code == 200
        await client.get("/readyz")
        await client.get("/", headers=BROWSER)
    await activity.note()
    (step,) = activity.steps
    assert (step.requests, step.samples, step.errors) == (3, 6, 0)
    assert (step.hits, step.misses) == (4, 2)
    page = await read_home(pages)
    assert "67%" in page
    assert "Of this process." in page


def test_errors_are_those_of_the_server_over_http_and_grpc() -> None:
    def answered(route: str, status: str) -> Sample:
        labels = {"protocol": "p", "route": route, "status": status}
        return Sample("reward_gateway_requests_total", labels, 1.0)

    statuses = ("200", "404", "499", "500", "503", "OK", "INVALID_ARGUMENT", "UNAVAILABLE", "INTERNAL")
    totals = sum_counters(0.0, [answered("/v1/score", status) for status in statuses])
    assert (totals.requests, totals.errors) == (9, 4)
    assert sum_counters(0.0, [answered("/console/try/score", "500"), answered("/readyz", "503")]) == Totals(0.0)


def test_a_miss_counts_once_however_many_levels_were_asked() -> None:
    def looked_up(level: str, result: str, value: float) -> Sample:
        return Sample("reward_gateway_cache_lookups_total", {"level": level, "result": result}, value)

    rows = [("memory", "hit", 5.0), ("memory", "miss", 5.0), ("redis", "hit", 3.0), ("redis", "miss", 2.0)]
    totals = sum_counters(0.0, [looked_up(*row) for row in rows])
    assert (totals.hits, totals.misses, totals.hit_share) == (8, 2, 0.8)
    assert Totals(0.0).hit_share is None


async def test_an_hour_is_kept() -> None:
    seconds = iter(range(0, 30 * 200, 30))
    activity = Activity(Metrics(), lambda: float(next(seconds)))
    for _ in range(200):
        await activity.note()
    assert len(activity.steps) == 120
    assert {step.at for step in activity.steps} == {30.0}


async def test_search_finds_operations_recipes_and_models_by_all_words(pages: Pages) -> None:
    async with pages.client() as client:

        async def search(words: str) -> str:
            return unescape((await client.get("/console/home/search", params={"q": words})).text)

        assert 'href="/console/recipes?name=compared"' in await search("compared")
        assert 'href="/pages/operations/score/length_penalty"' in await search("length PENALTY")
        assert '<a href="/console/models?name=letters">letters</a>' in await search("letters")
        assert "Nothing is called that: <nothing>" in await search("<nothing>")
        assert await search(" ") == ""
    found = find("grpo", pages.gateway.book, ())
    assert "grpo" in found[0].name
    names = ["grpo" in each.name for each in found]
    assert names == sorted(names, reverse=True)


@pytest.mark.slow
async def test_a_person_searches_by_keyboard(tab: Watched) -> None:
    await tab.open("/")
    await tab.page.focus("#q")
    await tab.page.keyboard.insert_text("length_penalty")  # at once: each letter may begin a search of its own
    await tab.page.wait_for_selector(".findings a")
    await tab.check_every_look()
    await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url("**/pages/operations/score/length_penalty")
