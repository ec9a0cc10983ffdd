"""Every operation and every recipe has a page: whole, linked, and with the answers that the service gives."""

import json
import re
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.unserved import UNSERVED
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.pages.answers import NoModels, compute_answer
from reward_gateway.pages.curves import CURVES, choose_ticks, compute_lines, draw_plot
from reward_gateway.pages.operation_page import format_curl
from reward_gateway.pages.pages import Pages, write_pages
from reward_gateway.pages.recipe_page import build_sample
from reward_gateway.pages.site import GUIDE
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

BOOK = load_book(Settings().rewards_file.read_text(encoding="utf-8"))
AWAITING = {"prm_steps"}
"""Recipes of rules that ask a model which is not served unless the operator names an upstream for it."""
OPERATIONS = [pytest.param(op, id=f"{op.kind}/{op.name}") for op in catalog()]
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Checker(HTMLParser):
    """Reads a page: that elements close in order, where links lead, what is loaded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)
        assert not self.open, "elements stay open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attrs)
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag in ("script", "img", "link", "iframe"):
            self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("site") / "pages"
    async for _ in write_pages(folder, BOOK):
        pass
    return folder


async def test_every_page_is_whole_and_loads_nothing(site: Path) -> None:
    files = list(site.rglob("*.html"))
    assert len(files) == 3 + len(catalog()) + len(BOOK.plans)
    for file in files:
        checked = Checker(file.read_text(encoding="utf-8"))
        assert not checked.loaded


async def test_every_link_of_the_folder_leads_to_a_file_or_out(site: Path) -> None:
    reached = set()
    for file in site.rglob("*.html"):
        for link in Checker(file.read_text(encoding="utf-8")).links:
            if not link.startswith("https://") and (file.parent / link).resolve() != site.parent / "index.html":
                assert (file.parent / link).is_file(), f"{file}: {link}"
                reached.add((file.parent / link).resolve())
    assert reached == {file.resolve() for file in site.rglob("*.html")}


async def test_every_link_of_the_service_leads_to_a_page() -> None:
    pages = Pages()
    known = {f"/pages/{path}".rstrip("/") for path in pages.paths(BOOK)}
    for path in pages.paths(BOOK):
        links = Checker(await pages.render_page(path, BOOK)).links
        assert {link for link in links if not link.startswith("https://")} == known & {*links} | {GUIDE}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operations_page_says_what_its_registration_says(operation: Operation) -> None:
    html = await Pages().render_page(f"operations/{operation.kind}/{operation.name}", BOOK)
    text = unescape(re.sub(r"<[^>]+>", "", html))
    assert operation.summary.replace("`", "") in text
    assert operation.source.url in html
    assert f'class="{operation.fidelity}"' in html
    for model in (operation.params, operation.item):
        for name, field in model.model_fields.items():
            assert f"<code>{field.alias or name}</code>" in html
    assert ("<svg" in html) == (f"{operation.kind}/{operation.name}" in CURVES)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_answers_on_its_page_are_computed_and_agree_with_its_examples(operation: Operation) -> None:
    for example in examples_of(operation.kind, operation.name):
        answered = await compute_answer(operation, example)
        assert (answered is None) == bool(example.given)
        assert answered is None or not example.differences(answered)


async def test_the_command_on_a_page_survives_the_shell() -> None:
    body = {"items": [{"response": 'it\'s $HOME `x` "y" \\boxed{1} é\n' + "long " * 40}], "params": {"n": 2}}
    command = format_curl("/v1/score/x", body).replace("curl", "printf '%s\\0'", 1)
    said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True).stdout.split(b"\0")
    assert said[1] == b"http://127.0.0.1:8080/v1/score/x"
    assert json.loads(said[5]) == body


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_the_operation_itself(name: str) -> None:
    operation = catalog().get(*name.split("/"))
    assert operation is not None
    xs, lines = compute_lines(operation, CURVES[name])
    for label, line in lines.items():
        assert np.isfinite(line).all(), label
        assert len(np.unique(line)) > 1
        assert len(line) == len(xs)
    svg = draw_plot(operation)
    assert svg is not None
    assert "nan" not in svg
    assert svg.count("<polyline") == len(lines)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 3, [-3, -2, -1, 0, 1, 2, 3]), (0, 0, [0, 0.2]), (-0.05, 1e4, None)],
)
def test_ticks_are_a_few_round_numbers(low: float, high: float, expected: list[float] | None) -> None:
    found = choose_ticks(low, high)
    assert expected is None or found == pytest.approx(expected)
    assert 2 <= len(found) <= 7


@pytest.mark.parametrize("name", list(BOOK.plans))
async def test_a_recipes_page_shows_its_plan_and_how_it_is_asked(name: str) -> None:
    plan = BOOK.get(name)
    html = await Pages().render_page(f"rewards/{name}", BOOK)
    assert plan.version in html
    picture = html[html.index("<svg") : html.index("</svg>")]
    for component in plan.components:
        assert f">{component.name}</text>" in picture
        for step in component.transforms:
            assert f">{step.operation.name}</text>" in picture
    sample = build_sample(plan)
    for field in plan.inputs:
        holder, _, key = field.rpartition(".")
        assert key in (sample[holder] if holder else sample)


@pytest.mark.parametrize(
    "name",
    [plan.name for plan in BOOK if all(part.step is not None for part in plan.parts)],
)
async def test_a_recipes_example_is_one_that_it_can_score(name: str) -> None:
    """Without a sandbox, a program is not run: that is not the example's fault."""
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    async with HttpContract(create_app(Gateway(BOOK, runtime), Settings())).client() as client:
        plan = BOOK.get(name)
        sample = {**build_sample(plan), "group": "g"}
        number = 4 if plan.group.cohort is None else plan.group.cohort.size
        answer = (await client.post("/v1/score", json={"reward": name, "samples": [sample] * number})).json()
    await runtime.close()
    if name in AWAITING:  # no model is served here
        assert answer["error"]["code"] == "model_unavailable"
        return
    if name in ("math_then_judge", "roboreward", "rubric", "tournament"):  # nor is there a judge
        assert answer["error"]["code"] == "not_set_up"
        return
    faults = [result["error"] for result in answer["results"]]
    assert all(fault is None or fault["code"] not in ("missing_field", "invalid_field") for fault in faults), faults


async def test_a_recipe_cannot_bring_markup_of_its_own() -> None:
    book = load_book(
        """
rewards:
  evil:
    description: '<script>alert(1)</script> & "quotes"'
    components: {a: {score: given, inputs: {value: {feature: '<img src=x>'}}}, b: {score: length_penalty}}
    combine: {weighted_sum: {weights: {a: 1.0, b: 1.0}}}
"""
    )
    for path in ("rewards", "rewards/evil"):
        html = await Pages().render_page(path, book)
        assert html.count("<script>") == 1, "the page's own"
        assert "&lt;script&gt;alert(1)" in html
        assert not Checker(html).loaded


async def test_the_page_of_recipes_explains_every_guard_and_its_parameters() -> None:
    html = await Pages().render_page("rewards", BOOK)
    Checker(html)
    for guard in GUARDS.values():
        assert f'id="guard-{guard.name}"' in html
        assert all(f"<code>{name}</code>" in html for name in guard.params.model_fields)
    text = unescape(re.sub(r"<[^>]*>|\s+", " ", html))
    for said in ("Ledoit", "This guard is our design", "the letter of a choice", "cannot be judged and is invalid"):
        assert said in re.sub(r"\s+", " ", text)


async def test_what_is_not_served_is_said_with_the_reason() -> None:
    html = await Pages().render_page("systems", BOOK)
    for system in UNSERVED:
        assert unescape(html).count(system.title) == 1
        assert system.url in html


@pytest.mark.parametrize("path", ["x", "rewards/none", "operations/score/none", "operations/none/bleu", "operations"])
async def test_a_page_that_is_not_there_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        await Pages().render_page(path, BOOK)
