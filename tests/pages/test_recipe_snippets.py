"""The recipe on an operation's page is whole: it loads as it stands, and scores what the operation reads."""

import base64
import io
from html import unescape
from typing import Any

import pytest
import yaml
from PIL import Image
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.pages.answers import NoModels
from reward_gateway.pages.pages import Pages
from reward_gateway.pages.recipe_page import build_sample
from reward_gateway.pages.recipe_snippet import explain_no_recipe, write_recipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.fields import table_field, value_field
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

ALONE = {
    *("combine/heron", "credit/info_gain", "credit/sotopia", "score/co_reward", "score/donor_game"),
    *("score/gtalign_action", "score/program", "score/rere", "transform/distance_reward", "transform/mmrlhf_batch"),
    *("transform/mmrlhf_beta", "transform/sign_scale", "score/perceptual_step", "score/reasoning_sql"),
    "combine/tournament",
}
"""Operations of items that no sample holds. Audits are called by themselves, too."""
OPERATIONS = [pytest.param(op, id=f"{op.kind}/{op.name}") for op in catalog()]
IN_RECIPES = [pytest.param(op, id=f"{op.kind}/{op.name}") for op in catalog() if not explain_no_recipe(op)]
TEXTS = ("prompt", "response", "reference")


def draw_pixel() -> str:
    held = io.BytesIO()
    Image.new("RGB", (1, 1)).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


PIXEL = draw_pixel()


def test_all_but_audits_and_a_few_can_be_part_of_a_recipe() -> None:
    alone = {f"{op.kind}/{op.name}" for op in catalog() if explain_no_recipe(op) and op.kind != "audit"}
    assert alone == ALONE


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_its_page_shows_the_recipe_or_says_why_there_is_none(operation: Operation) -> None:
    written = write_recipe(operation)
    html = await Pages().render_page(f"operations/{operation.kind}/{operation.name}", load_book(GIVEN))
    assert written in unescape(html)
    assert "…" not in written
    if why := explain_no_recipe(operation):
        assert written == f"# {why}: POST /v1/{operation.kind}/{operation.name}"
    else:
        assert operation.name in written
        assert list(yaml.safe_load(written)) == ["rewards"]


GIVEN = "rewards: {given: {components: {a: {score: given}}}}"
ELSEWHERE = {"model_unavailable", "judge_error", "unavailable", "not_set_up"}
"""What is said where a model, a judge or a sandbox is asked that is not there: that is not the recipe's fault."""


@pytest.mark.parametrize("operation", IN_RECIPES)
async def test_its_recipe_scores_samples_that_hold_what_it_reads(operation: Operation) -> None:
    book = load_book(write_recipe(operation))
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    async with HttpContract(create_app(Gateway(book, runtime), Settings())).client() as client:
        for example in examples_of(operation.kind, operation.name):
            for path, body in example.given.get("put", {}).items():
                assert (await client.put(path, json=body)).status_code == 200
        sample = fill(build_sample(book.get("mine")), operation)
        answer = (await client.post("/v1/score", json={"samples": [sample, sample]})).json()
    await runtime.close()
    for result in answer.get("results", [answer]):
        fault = result["error"]
        if fault is None:
            assert isinstance(result["reward"], float) or result["rewards"] is not None
        else:
            assert fault["code"] in ELSEWHERE or "callers' code" in fault["message"], fault


def fill(sample: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """A sample that holds the values of the operation's first example, of whose groups the first member."""
    item = dict(examples_of(operation.kind, operation.name)[0].items[0])
    for name in ("group", "trajectories"):
        if isinstance(members := item.pop(name, None), list):
            item = {**members[0], **item}
    main = value_field(operation)
    table = item.get(table_field(operation) or "") if operation.kind == "combine" else None
    if isinstance(table, list):
        table = {f"part_{i}": value for i, value in enumerate(table, 1)}
    features = {name: value for name, value in {**item, **(table or {})}.items() if is_numbers(value)}
    if operation.kind == "transform":
        features |= {"my_score": item.get(main or "", 1.0), "my_steps": item.get(main or "", [1.0])}
    if operation.kind == "credit" and main is not None and not isinstance(item.get(main), float | int):
        features[main] = item[main] if all(isinstance(value, float | int) for value in item.get(main, [[]])) else [0.5]
    if operation.name == "prm_refine":
        del features["correct"]  # with it the answer is one number
    if "return" in features:
        features["return_"] = features["return"]
    own = {name: item[name] for name in TEXTS if name in item and not is_numbers(item[name])}
    own |= {"steps": [{"text": "First."}, {"text": "Second."}], "frames": [PIXEL, PIXEL], "images": [PIXEL]}
    if "reference" in operation.item.model_fields and not operation.rule_fields:
        own.setdefault("reference", "4")
    if operation.name in ("igpo", "opinion_rm"):  # they read several texts
        own["reference"] = ["Barack Obama", "Obama"]
    if operation.rule_fields and (carried := {name: item[name] for name in operation.rule_fields if name in item}):
        own["reference"] = {**({"answer": item["reference"]} if "reference" in item else {}), **carried}
    features = {**sample.get("features", {}), **features}
    if operation.name == "shapley":
        del features["values"]  # a mapping, which a model stands in for
    return {**sample, **own, "group": "g", "features": features}


def is_numbers(value: Any) -> bool:
    """Whether a value can be a feature; true and false are 1 and 0."""
    if isinstance(value, list):
        return all(map(is_numbers, value))
    return isinstance(value, int | float) and not isinstance(value, bool)
