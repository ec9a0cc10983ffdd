"""Try: the form, the answer as its steps, the request elsewhere, and what is never kept or sent."""

import base64
import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
import yaml
from playwright.async_api import expect
from reward_gateway.recipes.book import load_book
from reward_gateway.runs.history import RunHistory
from reward_gateway.sample import plain_text

from tests.console.browser import Watched
from tests.console.conftest import Pages, Serve
from tests.console.test_compare import SAMPLES, compare, json_lines
from tests.console.test_console import BROWSER, token_in
from tests.console.test_login import log_in
from tests.http.conftest import KNOWN
from tests.logs import capture_every_log

pytestmark = pytest.mark.anyio

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


NO_FILES = [("images", ("", b""))]
"""A form without files sends an empty one."""

CODE = re.compile(r'<pre tabindex="0" aria-label="(\w+)" role="region"><code>(.*?)</code>', re.DOTALL)


async def try_out(client: httpx.AsyncClient, *responses: str, files: object = None, **fields: str) -> str:
    """What Score answers."""
    token = token_in((await client.get("/console/try", headers=BROWSER)).text)
    data = {"recipe": "plain", "prompt_is": "text", **fields, "response": list(responses)}
    parts = files or NO_FILES
    headers = {"hx-request": "true", "x-csrf-token": token}
    answer = await client.post("/console/try/score", data=data, files=parts, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.text


def numbers_in(html: str, kind: str) -> list[float]:
    """The numbers that a page shows in elements of a kind."""
    found = re.findall(rf"<{kind}[^>]*>([+−]?[0-9.]+)</", html)
    return [float(text.replace("−", "-")) for text in found]


async def test_the_waterfall_sums_to_the_reward_that_the_api_answers(pages: Pages) -> None:
    responses = ["Put it in boiling water for eight minutes.", "Boil it."]
    async with pages.client() as client:
        for recipe in ("plain", "mixed", "compared"):
            html = await try_out(client, *responses, recipe=recipe, prompt="How?")
            body = {"reward": recipe, "samples": [{"prompt": "How?", "response": text} for text in responses]}
            answered = [row["reward"] for row in (await client.post("/v1/score", json=body)).json()["results"]]
            assert numbers_in(html, "strong") == pytest.approx(answered, abs=5e-5)
            tables = re.findall(r'<table class="waterfall">.*?</table>', html)
            for table, reward in zip(tables, answered, strict=True):
                *steps, total = numbers_in(table, 'td class="number"')
                assert total == pytest.approx(reward, abs=5e-5)
                assert sum(steps) == pytest.approx(reward, abs=5e-4)


async def test_a_component_shows_how_its_number_came_about(pages: Pages) -> None:
    async with pages.client() as client:
        html = await try_out(client, "aaaa bb", "a", recipe="compared", prompt="p")
        assert "raw 7 → affine 0.7 × 2" in html
        assert "0 of 2 scores from the cache" in html
        again = await try_out(client, "aaaa bb", "a", recipe="compared", prompt="p")
        assert "2 of 2 scores from the cache" in again


async def test_two_recipes_stand_beside_each_other_with_their_difference(pages: Pages) -> None:
    async with pages.client() as client:
        html = await try_out(client, "aaaa bb", recipe="plain", other="mixed", prompt="p")
        assert re.findall("<h2>(.*?)</h2>", html)[:2] == ["plain", "mixed"]
        assert re.search(r"<small>[+−][0-9.]+ beside plain</small>", html)


async def test_a_sample_without_a_reward_says_why_and_the_other_recipe_answers(pages: Pages) -> None:
    async with pages.client() as client:
        html = await try_out(client, "aa", recipe="compared", other="plain", prompt="p")
        assert "no reward" in html
        assert "alone" in html
        assert numbers_in(html, "strong") == [2.0]
        assert "there is no" in await try_out(client, "aa", recipe="nowhere")


async def test_responses_may_be_messages_where_the_prompt_is(pages: Pages) -> None:
    async with pages.client() as client:
        turns = '[{"role": "assistant", "content": "hello"}]'
        for prompt_is, letters in (("messages", 5.0), ("text", float(len(turns)))):
            prompt = '[{"role": "user", "content": "p"}]'
            html = await try_out(client, turns, recipe="plain", prompt_is=prompt_is, prompt=prompt)
            assert numbers_in(html, "strong") == [letters]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt_is": "messages", "prompt": "[{]"}, "prompt: this is not JSON (line 1, column 3)"),
        ({"prompt_is": "messages", "prompt": "{}"}, "prompt: write a JSON list"),
        ({"more": "[]"}, "more: write a JSON object"),
        ({"recipe": ""}, "choose a recipe"),
    ],
)
async def test_a_fault_of_the_form_names_its_field(pages: Pages, fields: dict[str, str], said: str) -> None:
    async with pages.client() as client:
        assert said in await try_out(client, "aa", **fields)


async def test_messages_reference_images_and_more_fields_reach_the_recipe(pages: Pages) -> None:
    async with pages.client() as client:
        html = await try_out(
            client,
            "aa",
            recipe="looks",
            prompt_is="messages",
            prompt='[{"role": "user", "content": "hello"}]',
            reference='["yes"]',
            more='{"metadata": {"task": "x"}}',
            files=[("images", ("red.png", PNG)), ("images", ("blue.png", PNG))],
        )
        assert numbers_in(html, "strong") == [2.0]
        (batch,) = pages.models.seen
        assert plain_text(batch.prompts[0]) == "hello"
        assert "&lt;base64 of red.png&gt;" in html
        assert base64.b64encode(PNG).decode()[:40] not in html


async def test_the_same_request_elsewhere_is_to_this_host(pages: Pages) -> None:
    async with pages.client() as client:
        html = await try_out(client, "it's", "b", recipe="mixed", prompt="p", reference="r")
        assert "curl -s http://localhost:8080/v1/score" in html
        assert "REWARD_GATEWAY_API_KEY" not in html
        assert [name for name, _ in CODE.findall(html)] == ["curl", "Python", "YAML"]


def test_the_code_that_is_shown_gets_the_rewards_that_are_shown(service: str) -> None:
    with httpx.Client(base_url=service) as client:
        token = token_in(client.get("/console/try", headers=BROWSER).text)
        data = {"recipe": "mixed", "prompt_is": "text", "prompt": "it's", "response": ["aaaa bb", 'say "b" c d']}
        html = client.post("/console/try/score", data=data, files=NO_FILES, headers={"x-csrf-token": token}).text
    blocks = {name: unescape(text) for name, text in CODE.findall(html)}
    shown = numbers_in(html, "strong")
    printed = subprocess.run([sys.executable, "-c", blocks["Python"]], capture_output=True, text=True, check=True)
    assert [float(number) for number in printed.stdout.strip("[] \n").split()] == pytest.approx(shown)
    if shutil.which("curl"):
        answered = subprocess.run(["bash", "-c", blocks["curl"]], capture_output=True, check=True)
        assert [row["reward"] for row in json.loads(answered.stdout)["results"]] == pytest.approx(shown)
    written = load_book(yaml.safe_dump({"rewards": yaml.safe_load(blocks["YAML"])}), KNOWN)
    assert written.plans["mixed"].version in html


async def test_with_keys_the_code_has_a_place_for_one_and_never_a_key(guarded: Pages) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-researcher")
        html = await try_out(client, "aa", prompt="p")
        assert "Bearer $REWARD_GATEWAY_API_KEY" in html
        assert "key-of-researcher" not in html


async def test_a_session_may_use_the_recipes_of_its_key_only(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("keys: [{name: bound, key: key-of-bound, rewards: [mixed]}]")
    async with serve(api_keys_file=file) as guarded, guarded.client() as client:
        await log_in(client, "key-of-bound")
        page = (await client.get("/console/try", headers=BROWSER)).text
        assert "mixed" in page
        assert "strict" not in page
        for name in ("plain", "nobody", "letters"):
            assert "may use only the recipes" in await try_out(client, "abcd", recipe=name, other="")
        assert guarded.models.seen == []
        assert "may use only the recipes" not in await try_out(client, "abcd", recipe="mixed")
        for path in ("/", "/console/recipes", "/console/compare", "/console/models", "/console/recipes?open=plain"):
            shown = await client.get(path, headers=BROWSER)
            assert shown.status_code in (200, 403), path
            assert "strict" not in shown.text, path


async def test_texts_are_in_no_log_no_metric_and_no_store(pages: Pages) -> None:
    marker = "zebra-417"
    pages.gateway.runs = history = RunHistory.in_process(1 << 20)
    with capture_every_log() as logs:
        async with pages.client() as client:
            for fields in (
                {"recipe": "mixed"},
                {"recipe": "nowhere"},
                {"more": f"[{marker}"},
                {"prompt_is": "messages"},
            ):
                await try_out(client, marker, **{"prompt": marker, "reference": marker, **fields})
            assert marker not in (await client.get("/metrics")).text
            assert marker not in (await client.get("/v1/runs")).text
    assert logs
    assert marker not in json.dumps(logs, default=str)
    assert not history._waiting, "a trial counts for no run"


async def test_responses_without_a_prompt_are_compared_side_by_side(pages: Pages) -> None:
    async with pages.client() as client:
        html = await try_out(client, "aaaa", "b", recipe="compared")
        assert len(numbers_in(html, "strong")) == 2
        assert "&quot;group&quot;: &quot;side by side&quot;" in html or '"group": "side by side"' in html


async def test_the_example_of_a_recipe_that_compares_has_something_to_compare(pages: Pages) -> None:
    async with pages.client() as client:
        for recipe, shown in (("plain", 1), ("compared", 2)):
            html = (await client.get("/console/try/sample", params={"recipe": recipe})).text
            assert len(re.findall(r'<div class="response">', html)) == shown


async def test_there_are_at_most_eight_responses(pages: Pages) -> None:
    async with pages.client() as client:
        assert len(numbers_in(await try_out(client, *"abcdefgh"), "strong")) == 8
        assert "write one to 8 responses" in await try_out(client, *"abcdefghi")


STATEFUL = """
rewards:
  running:
    components: {quality: {score: letters, transforms: [{running_normalise: {stream: s}}]}}
"""


async def test_a_trial_is_in_no_figure_of_rewards(serve: Serve) -> None:
    def read_series() -> list[str]:
        lines = pages.telemetry.metrics.render().decode().splitlines()
        return [
            line for line in lines if re.match(r"reward_gateway_(score|samples|invalid|flag|reward|experiment)", line)
        ]

    async with serve(keep_samples=10) as pages, pages.client() as client:
        body = {"reward": "mixed", "samples": [{"prompt": "p", "response": "abc"}, {"prompt": "p", "response": ""}]}
        await client.post("/v1/score", json=body)
        series, told = read_series(), (await client.get("/v1/monitor")).json()
        assert told["rewards"]["mixed"]["samples"] == 2
        await try_out(client, "aaaa bb", "", recipe="mixed", prompt="p", other="compared")
        await compare(client, json_lines(SAMPLES), "reward:mixed", "reward:compared")
        assert (await client.get("/v1/monitor")).json() == told
        assert read_series() == series
        (run,) = (await client.get("/v1/runs")).json()["runs"]
        assert run["samples"] == 2
        assert pages.gateway.samples is not None


async def test_a_trial_changes_no_state(serve: Serve) -> None:
    async with serve(recipes=STATEFUL) as pages, pages.client() as client:
        assert "no reward" not in await try_out(client, "aaaa", "bb", recipe="running", prompt="p")
        assert (await client.get("/v1/state")).json()["state"] == []
        await client.post("/v1/score", json={"samples": [{"response": "aaaa"}, {"response": "bb"}]})
        assert len((await client.get("/v1/state")).json()["state"]) == 1


@pytest.mark.slow
async def test_a_person_tries_two_responses_and_shares_the_address(tab: Watched) -> None:
    sent: list[str] = []
    tab.page.on("request", lambda request: sent.append(request.url))
    await tab.open("/console/try")
    await tab.page.select_option("#recipe", "compared")
    await tab.page.fill("#response-1", "a secret of boiling water")
    await tab.page.click("#add-response")
    await tab.page.keyboard.type("Boil it.")
    await tab.page.keyboard.press("Control+Enter")
    await tab.page.wait_for_selector(".waterfall")
    await expect(tab.page.locator("article")).to_have_count(2)
    await tab.check_every_look()
    before = list(sent)
    await tab.page.reload()
    state = unquote(await tab.page.evaluate("location.hash"))[1:]
    held = json.loads(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))
    assert held["responses"] == ["a secret of boiling water", "Boil it."]
    assert not any("secret" in url or state in url for url in before), "texts are sent in no address"
    await expect(tab.page.locator("#response-2")).to_have_value("Boil it.")
    await expect(tab.page.locator("#recipe")).to_have_value("compared")
    await tab.page.click("text=Remove >> visible=true")
    await expect(tab.page.locator(".response:visible")).to_have_count(1)
    await tab.page.select_option("#recipe", "looks")
    await tab.page.wait_for_selector("#reads:has-text('images')")
    await tab.page.click("text=Fill in the recipe's example")
    await tab.page.wait_for_selector("#images:visible")
    await tab.page.set_input_files("#images", files={"name": "red.png", "mimeType": "image/png", "buffer": PNG})
    await tab.page.click("button.primary")
    await tab.page.wait_for_selector("h2:has-text('looks')")
    await expect(tab.page.locator("article strong").first).to_have_text("1.0000")
