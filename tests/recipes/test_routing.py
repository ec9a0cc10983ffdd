"""A component may be another scorer for each value of a key: one recipe for a mixed data set."""

from textwrap import indent

import numpy as np
import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.recipes.schema import json_schema

from tests.recipes.conftest import compile_recipe
from tests.recipes.test_staged_evaluation import World, evaluate

ROUTED = """
components:
  task:
    score:
      by: metadata.task
      cases:
        math: {score: exact_match, transforms: [{affine: {scale: 10}}]}
        chat: {score: rm, transforms: [{affine: {scale: 2}}]}
        2: {score: other}
      default: invalid
"""


def metadata(*tasks: str) -> dict[str, list[bytes | None]]:
    return {"metadata": [f'{{"task":{task}}}'.encode() if task else None for task in tasks]}


def test_each_sample_is_scored_by_its_own_case_alone() -> None:
    world = World()
    found = evaluate(
        ROUTED,
        world,
        features=[{"rm": 1.5, "other": 7.0}] * 4,
        references=["a", None, None, "a"],
        further=metadata('"math"', '"chat"', "2", '"math"'),
        responses=["a", "a", "a", "b"],
    )
    assert world.asked == [("rm", [1]), ("other", [2])]
    assert found.reward.tolist() == [10.0, 3.0, 7.0, 0.0]
    task = found.components["task"]
    assert task.raw.tolist() == [1.0, 1.5, 7.0, 0.0]
    assert task.skipped is None
    assert [task.origin_of(i) for i in range(4)] == [(None, None), ("rm", "1"), ("other", "1"), (None, None)]
    assert {name: scores.values[:, 0].tolist() for name, scores in found.raw.items()}.keys() == {"task.chat", "task.2"}


def test_a_sample_needs_what_its_case_reads_and_no_more() -> None:
    found = evaluate(
        ROUTED,
        features=[{"rm": 1.0}] * 5,
        responses=["a", None, "a", "a", "a"],
        references=[None] * 5,
        further=metadata('"math"', '"chat"', "", '"poetry"', '"chat"'),
    )
    reasons = {i: (reason.code, reason.param, reason.component) for i, reason in found.invalid.items()}
    assert reasons == {
        0: ("missing_field", "reference", "task"),
        1: ("missing_field", "response", "task"),
        2: ("missing_field", "metadata.task", "task"),
        3: ("missing_field", "metadata.task", "task"),
    }
    assert "poetry" not in found.invalid[3].message
    assert found.reward[4] == 2.0


def test_the_group_and_later_conditions_see_the_result() -> None:
    recipe = ROUTED + "  judged: {score: judge, when: {task: {above: 2}}, otherwise: 0}\n"
    world = World()
    found = evaluate(
        recipe + "combine: weighted_sum\ngroup: {normalize: mean}\n",
        world,
        features=[{"rm": 1.0, "judge": 4.0}, {"rm": 2.0, "judge": 4.0}],
        further=metadata('"chat"', '"chat"'),
    )
    assert world.asked == [("rm", [0, 1]), ("judge", [1])]
    assert found.reward.tolist() == [-3.0, 3.0]


def test_a_routed_audit_fails_nothing() -> None:
    recipe = "components:\n  main: {score: rm}\n" + ROUTED.removeprefix("\ncomponents:\n") + "    audit: true\n"
    features = [{"rm": 1.0}, {"rm": 2.0}]
    found = evaluate(recipe, World({"rm": {1}}), features=features, further=metadata('"poetry"', '"chat"'))
    assert {i: reason.component for i, reason in found.invalid.items()} == {1: "main"}
    assert np.isnan(found.components["task"].value).all()


def test_inputs_list_those_of_all_cases_and_the_key() -> None:
    plan = compile_recipe(ROUTED)
    assert plan.inputs == ("response", "reference", "prompt", "metadata.task")
    assert (plan.needs_response, plan.needs_prompt, plan.reads_metadata) == (False, False, True)
    assert plan.models == ("rm", "other")
    described = plan.describe()["plan"]["components"]["task"]
    assert described["by"] == "metadata.task"
    assert {case: entry["model"] for case, entry in described["cases"].items()} == {
        "math": None,
        "chat": "rm",
        "2": "other",
    }


@pytest.mark.parametrize(
    ("before", "after", "path", "says"),
    [
        ("by: metadata.task", "by: task", "components.task.score.by", "no key"),
        ("exact_match", "exakt_match", "components.task.score.cases.math.score", "exact_match"),
        ("default: invalid", "default: math", "components.task.score.default", "invalid"),
        ("{score: other}", "{scorer: other}", "components.task.score.cases[2].scorer", "did you mean 'score'?"),
        ("{score: other}", "{score: {by: metadata.x, cases: {}}}", "components.task.score.cases[2].score", "string"),
        ("{score: other}", "{score: rank}", "components.task.score.cases.2", "compares the samples of a group"),
        ("  task:\n", "  task:\n    transforms: [sigmoid]\n", "components.task.transforms", "belongs to a case"),
        ("  task:\n", "  task:\n    optional: true\n", "components.task.optional", "belongs to a case"),
    ],
)
def test_faults(before: str, after: str, path: str, says: str) -> None:
    assert before in ROUTED
    with pytest.raises(InvalidRecipe) as refused:
        compile_known(ROUTED.replace(before, after))
    told = [(fault["path"].removeprefix("rewards.r."), fault["message"]) for fault in refused.value.faults]
    assert any(path == found and says in message for found, message in told), told


def compile_known(recipe: str) -> None:
    """Compile with the models that the recipe may name."""
    load_book("rewards:\n  r:\n" + indent(recipe, "    "), {name: KnownModel() for name in ("rm", "other")})


def test_the_published_schema_knows_cases() -> None:
    schema = json_schema()["$defs"]
    assert {"by", "cases", "default"} == set(schema["RoutedScore"]["properties"])
    assert schema["ComponentSpec"]["properties"]["score"]["anyOf"][1] == {"$ref": "#/$defs/RoutedScore"}
