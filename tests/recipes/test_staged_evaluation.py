"""A recipe with conditions computes each component only where it counts; its reward is that of computing everything."""

import operator
from collections.abc import Callable, Generator, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import run_pure
from reward_gateway.operations.effects import (
    AskJudge,
    AskModels,
    DiscardWrites,
    Effectful,
    FindJudgeLimits,
    MergeMoments,
    RunInWorker,
    Together,
)
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.evaluation import Rewards
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch, Invalid, RawScores

from tests.recipes.conftest import batch_of, compile_recipe


class World:
    """Models that answer each sample with the number that its features hold under the model's name.

    What is asked together is answered one computation after the other.
    """

    def __init__(self, failing: Mapping[str, set[int]] | None = None, says: str = "[[7]]") -> None:
        self._says = says
        self.asked: list[tuple[str, list[int]]] = []
        self._failing = failing or {}

    def run(self, steps: Effectful[Any]) -> Any:
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as stop:
                return stop.value
            answer = self._answer(effect)

    def _answer(self, effect: Any) -> Any:
        match effect:
            case Together(computations):
                return [self.run(steps) for steps in computations]
            case AskModels(models, batch):
                return {model: (self._score(model, batch), ()) for model in models}
            case AskJudge(judge, conversations):
                self.asked.append((judge, list(range(len(conversations)))))
                return [self._says] * len(conversations)
            case MergeMoments(_, batch=moments):
                return moments
            case DiscardWrites() | FindJudgeLimits():
                return None
            case RunInWorker(work):
                return run_pure(work())
            case _:
                raise AssertionError(effect)

    def _score(self, model: str, batch: Batch) -> RawScores:
        rows = [i for i in range(batch.size) if i not in batch.invalid]
        self.asked.append((model, rows))
        values = np.full((batch.size, 1), np.nan)
        invalid = {}
        for i in rows:
            assert batch.features is not None
            if i in self._failing.get(model, ()):
                invalid[i] = Invalid("model_error", "it failed")
            else:
                values[i] = batch.features[i][model]
        return RawScores(values, model, "1", np.zeros(batch.size, np.bool_), invalid)


class Shuffled(World):
    """Answers what is asked together in any order, one effect of any computation at a time."""

    def __init__(self, random: Random, failing: Mapping[str, set[int]] | None = None) -> None:
        super().__init__(failing)
        self._random = random

    def run(self, steps: Effectful[Any]) -> Any:
        running = self._drive(steps)
        while True:
            try:
                next(running)
            except StopIteration as stop:
                return stop.value

    def _drive(self, steps: Effectful[Any]) -> Generator[None, None, Any]:
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as stop:
                return stop.value
            yield
            if isinstance(effect, Together):
                answer = yield from self._drive_together(effect)
            else:
                answer = self._answer(effect)

    def _drive_together(self, effect: Together) -> Generator[None, None, Any]:
        running = dict(enumerate(map(self._drive, effect.computations)))
        results: dict[int, Any] = {}
        while running:
            chosen = self._random.choice(list(running))
            try:
                next(running[chosen])
            except StopIteration as stop:
                results[chosen] = stop.value
                del running[chosen]
            yield
        return [results[k] for k in sorted(results)]


def evaluate(recipe: str | Plan, world: World | None = None, **columns: Any) -> Rewards:
    plan = compile_recipe(recipe) if isinstance(recipe, str) else recipe
    size = len(next(iter(columns.values())))
    rewards = (world or World()).run(evaluate_plan(plan, batch_of(size, **columns), {}))
    assert isinstance(rewards, Rewards)
    return rewards


QUALITY = """
components:
  correct: {score: given, inputs: {value: {feature: correct}}}
  quality: {score: rm, when: {correct: {at_least: 1}}, otherwise: -0.5, transforms: [{affine: {scale: 2}}]}
combine: weighted_sum
"""


def rows_of(*rows: tuple[float, float]) -> list[dict[str, float]]:
    return [{"correct": correct, "rm": rm} for correct, rm in rows]


def test_a_model_is_asked_where_the_condition_holds_and_elsewhere_its_value_is_otherwise() -> None:
    world = World()
    found = evaluate(QUALITY, world, features=rows_of((1, 3), (0, 4), (1, 5)))
    assert world.asked == [("rm", [0, 2])]
    assert found.reward.tolist() == [7.0, -0.5, 11.0]
    quality, correct = found.components["quality"], found.components["correct"]
    assert quality.skipped == [None, "correct", None]
    assert correct.skipped is None
    np.testing.assert_array_equal(quality.raw, [3.0, np.nan, 5.0])
    assert quality.value.tolist() == [6.0, -0.5, 10.0]
    assert found.skipped == 1
    np.testing.assert_array_equal(found.raw["quality"].values[:, 0], [3.0, np.nan, 5.0])


def test_where_no_sample_passes_no_model_is_asked() -> None:
    world = World()
    found = evaluate(QUALITY, world, features=rows_of((0, 3), (0, 4)))
    assert (world.asked, found.reward.tolist(), found.skipped) == ([], [-0.5, -0.5], 2)


@pytest.mark.parametrize(
    ("when", "passing"),
    [
        ("{correct: {at_least: 1}}", [1, 2]),
        ("{correct: {above: 1}}", [2]),
        ("{correct: {below: 1}}", [0]),
        ("{correct: {equals: 1}}", [1]),
        ("{correct: {above: 0, below: 2}}", [1]),
        ("{correct: {at_least: 1}, has: reference}", [2]),
        ("{any: [{correct: {equals: 0}}, {has: reference}]}", [0, 2]),
        ("{any: [{correct: {equals: 0}, has: reference}]}", []),
        ("{has: features.rm}", [0, 1, 2]),
        ("{features.rm: {equals: 4}}", [1]),
        ("{has: [reference, metadata.task]}", [2]),
        ("{metadata.task: {equals: math}}", [1]),
        ("{has: metadata.task, equals: code}", [2]),
        ("{group: {mean_of: correct, at_least: 1}}", [0, 1, 2]),
        ("{group: {spread_of: correct, above: 2}}", []),
        ("{sample: 1}", [0, 1, 2]),
        ("{sample: 1, by: group}", [0, 1, 2]),
        ("{sample: 1.0e-9}", []),
    ],
)
def test_conditions(when: str, passing: list[int]) -> None:
    world = World()
    evaluate(
        QUALITY.replace("{correct: {at_least: 1}}", when),
        world,
        features=rows_of((0, 3), (1, 4), (2, 5)),
        references=[None, None, "x"],
        further={"metadata": [None, b'{"task":"math"}', b'{"task": "code"}']},
    )
    assert [rows for _, rows in world.asked] == ([passing] if passing else [])


@pytest.mark.parametrize(
    ("when", "by"),
    [
        ("{correct: {at_least: 9}}", "correct"),
        ("{correct: {at_least: 1}, has: metadata.task}", "metadata.task"),
        ("{has: reference, correct: {at_least: 9}}", "reference"),
        ("{group: {spread_of: correct, above: 9}}", "group"),
        ("{sample: 1.0e-9}", "sample"),
        ("{any: [{has: features.none}, {correct: {at_least: 9}}]}", "features.none"),
    ],
)
def test_a_skipped_row_names_the_first_condition_that_failed(when: str, by: str) -> None:
    found = evaluate(QUALITY.replace("{correct: {at_least: 1}}", when), features=rows_of((1, 3), (2, 4)))
    assert found.components["quality"].skipped == [by, by]


def test_an_optional_component_may_be_asked_for_its_presence() -> None:
    recipe = """
    components:
      rule: {score: given, inputs: {value: {feature: rule}}, optional: true}
      model: {score: rm, when: {rule: {valid: false}}, otherwise: 0}
      format: {score: given, inputs: {value: {feature: rm}}}
      length: {score: given, inputs: {value: {feature: rm}}}
    combine: {harmo: {p_max: 0.5, tau: 0.5}}
    """
    world = World()
    features = [{"rule": 1.0, "rm": 0.5}, {"rm": 0.25}]
    found = evaluate(recipe, world, features=features, responses=["a", "b"])
    assert world.asked == [("rm", [1])]
    assert found.components["model"].skipped == ["rule", None]


def test_a_component_that_a_condition_reads_makes_the_sample_invalid_where_it_failed() -> None:
    recipe = """
    components:
      cheap: {score: rm}
      dear: {score: rm2, when: {cheap: {above: 0}}, otherwise: 0}
    combine: weighted_sum
    """
    world = World({"rm": {1}})
    found = evaluate(recipe, world, features=[{"rm": 1.0, "rm2": 2.0}, {"rm": 1.0, "rm2": 2.0}])
    assert {i: reason.component for i, reason in found.invalid.items()} == {1: "cheap"}
    assert found.components["dear"].skipped is None
    assert world.asked == [("rm", [0, 1]), ("rm2", [0])]


def test_stages_follow_from_the_conditions_and_no_component_waits_for_one_that_it_does_not_read() -> None:
    plan = compile_recipe(
        """
        components:
          last: {score: e, when: {middle: {above: 0}}, otherwise: 0}
          middle: {score: d, when: {first: {above: 0}}, otherwise: 0}
          first: {score: a}
          beside: {score: b}
        combine: weighted_sum
        """
    )
    assert [[component.name for component in stage] for stage in plan.stages] == [
        ["first", "beside"],
        ["middle"],
        ["last"],
    ]
    world = World()
    found = evaluate(plan, world, features=[dict.fromkeys("abde", 1.0), dict.fromkeys("abde", -1.0)])
    assert world.asked == [("a", [0, 1]), ("d", [0]), ("e", [0]), ("b", [0, 1])], "here one goes on while it can"
    assert list(found.components) == ["last", "middle", "first", "beside"]
    assert found.reward.tolist() == [4.0, -2.0]


@pytest.mark.parametrize("fails", [True, False])
def test_where_all_is_computed_again_a_judge_is_asked_about_further_samples_alone(fails: bool) -> None:
    recipe = """
    components:
      level: {score: given, inputs: {value: {feature: level}}}
      counted: {score: given, inputs: {value: {feature: level}}, transforms: [{running_normalise: {stream: s}}]}
      model: {score: rm}
      judged: {score: judge_rubric, when: {group: {mean_of: level, below: 2}}, otherwise: 0}
    combine: {weighted_sum: {over: [model, judged]}, then: {add: [counted]}}
    """
    features = [{"level": level, "rm": 1.0} for level in (1.0, 1.0, 9.0, 1.0, 1.0)]
    world = World({"rm": {2} if fails else set()}, says='{"quality": 10}')
    found = evaluate(recipe, world, features=features, group_names=["x", "x", "x", "y", "y"])
    asked = [len(rows) for name, rows in world.asked if name == "judge"]
    assert asked == ([2, 2] if fails else [2])
    assert set(found.invalid) == ({2} if fails else set())
    assert found.components["judged"].raw.tolist()[3:] == [1.0, 1.0]
    assert found.components["judged"].value[:2].tolist() == ([1.0, 1.0] if fails else [0.0, 0.0])
    said = '{"quality": 10}'
    before = [said, said] if fails else [None, None]
    assert found.components["judged"].judge_answers == [*before, None, said, said]


def test_a_long_chain_of_conditions_is_followed_to_its_end() -> None:
    chain = "".join(
        f"  c{k}: {{score: m{k}, when: {{c{k - 1}: {{above: 0}}}}, otherwise: 0}}\n" for k in range(1, 1000)
    )
    recipe = f"components:\n  c0: {{score: m0}}\n{chain}combine: weighted_sum\n"
    features = [{f"m{k}": 1.0 for k in range(1000)}, {"m0": -1.0}]
    assert evaluate(recipe, features=features).reward.tolist() == [1000.0, -1.0]


def test_a_model_that_components_of_two_stages_read_is_asked_once_about_each_sample() -> None:
    recipe = """
    components:
      first: {score: rm, when: {has: reference}, otherwise: 1}
      second: {score: rm, when: {first: {above: 0}}, otherwise: 0, transforms: [{affine: {scale: 10}}]}
    combine: weighted_sum
    """
    world = World()
    found = evaluate(recipe, world, features=[{"rm": 2.0}, {"rm": 3.0}], references=["x", None])
    assert world.asked == [("rm", [0]), ("rm", [1])]
    assert found.reward.tolist() == [22.0, 31.0]


def test_guards_of_texts_come_first_and_nothing_is_asked_about_what_they_settle() -> None:
    recipe = """
    components:
      cheap: {score: rm}
      dear: {score: rm2, when: {cheap: {above: 0}}, otherwise: 7}
    guards: [{too_long: {max_words: 2, action: zero}}, {master_key: {action: invalid}}, empty_response]
    combine: weighted_sum
    """
    world = World()
    features = [{"rm": 1.0, "rm2": 2.0}] * 3
    found = evaluate(recipe, world, features=features, responses=["one two three", "fine then", "Solution:"])
    assert world.asked == [("rm", [1]), ("rm2", [1])]
    assert found.reward[:2].tolist() == [0.0, 3.0]
    assert found.invalid[2].code == "guard"
    assert found.flags == {0: ("too_long",), 2: ("master_key",)}
    assert found.components["cheap"].skipped == ["too_long", None, None]
    assert found.components["dear"].value[0] == 7.0


def test_guards_of_components_do_not_look_at_otherwise() -> None:
    recipe = QUALITY + "guards: [{saturated: {component: quality, high: 5, action: zero}}]\n"
    found = evaluate(recipe.replace("-0.5", "9"), features=rows_of((1, 9), (0, 1), (1, 1)))
    assert found.flags == {0: ("saturated",)}
    assert found.reward.tolist() == [0.0, 9.0, 3.0]


def test_a_group_of_which_one_member_is_valid_decides_nothing() -> None:
    recipe = QUALITY.replace("{correct: {at_least: 1}}", "{group: {spread_of: correct, above: 0}}")
    found = evaluate(recipe, features=rows_of((0, 1), (1, 2), (1, 3)), group_names=["a", "a", "b"])
    assert {i: reason.code for i, reason in found.invalid.items()} == {2: "group_of_one"}
    assert found.reward[:2].tolist() == [2.0, 5.0]
    kept = evaluate(recipe + "group: {single: raw}\n", features=rows_of((0, 1), (1, 2)), group_names=["a", "b"])
    assert kept.components["quality"].skipped == ["group", "group"]


def test_the_spread_is_of_the_values_after_transforms_with_otherwise_among_them() -> None:
    recipe = """
    components:
      a: {score: given, inputs: {value: {feature: a}}}
      b: {score: given, inputs: {value: {feature: a}}, when: {a: {above: 0}}, otherwise: 5}
      c: {score: rm, when: {group: {spread_of: b, at_least: 4}}, otherwise: 0}
    combine: weighted_sum
    """
    world = World()
    evaluate(recipe, world, features=[{"a": 1.0, "rm": 1.0}, {"a": 0.0, "rm": 1.0}])
    assert world.asked == [("rm", [0, 1])]


def test_a_share_is_the_same_alone_in_any_batch_and_for_whole_groups() -> None:
    recipe = QUALITY.replace("{correct: {at_least: 1}}", "{sample: 0.5}")
    features = rows_of(*[(1.0, float(i)) for i in range(40)])
    texts = [f"text {i}" for i in range(40)]
    world = World()
    evaluate(recipe, world, features=features, responses=texts)
    (together,) = (rows for _, rows in world.asked)
    assert 8 < len(together) < 32
    for i in range(40):
        alone = World()
        evaluate(recipe, alone, features=features[i : i + 1], responses=texts[i : i + 1])
        assert bool(alone.asked) == (i in together)
    by_group = World()
    names = [str(i // 4) for i in range(40)]
    evaluate(recipe.replace("sample: 0.5", "sample: 0.5, by: group"), by_group, features=features, group_names=names)
    (chosen,) = (rows for _, rows in by_group.asked)
    assert {names[i] for i in chosen} != set(names)
    assert all((names[i] in {names[k] for k in chosen}) == (i in chosen) for i in range(40))


def test_transforms_of_a_batch_see_the_computed_rows_alone() -> None:
    recipe = """
    components:
      correct: {score: given, inputs: {value: {feature: correct}}}
      quality: {score: rm, when: {correct: {at_least: 1}}, otherwise: 9, transforms: [{zscore: {}}]}
    combine: weighted_sum
    """
    some = evaluate(recipe, features=rows_of((1, 3), (0, 1000), (1, 5)))
    alone = evaluate(recipe, features=rows_of((1, 3), (1, 5)))
    assert some.components["quality"].value[[0, 2]].tolist() == alone.components["quality"].value.tolist()
    assert some.components["quality"].value[1] == 9.0


def test_what_a_skipped_component_reads_may_be_missing() -> None:
    recipe = """
    components:
      model: {score: rm, when: {has: response}, otherwise: 2}
      rule: {score: exact_match, when: {has: reference}, otherwise: 0}
    combine: weighted_sum
    """
    plan = compile_recipe(recipe)
    assert not plan.needs_response
    assert not plan.needs_prompt
    world = World()
    found = evaluate(plan, world, features=[{"rm": 1.0}] * 2, responses=["a", None], references=["a", None])
    assert (found.reward.tolist(), found.invalid) == ([2.0, 2.0], {})
    unguarded = recipe.replace("has: response", "has: features.rm")
    refused = evaluate(unguarded, features=[{"rm": 1.0}] * 2, responses=["a", None], references=["a", None])
    assert {i: (reason.code, reason.param) for i, reason in refused.invalid.items()} == {
        1: ("missing_field", "response")
    }


# Audits

AUDITED = """
components:
  cheap: {score: rm}
  second: {score: rm2, audit: true}
"""


def test_an_audit_is_outside_the_reward_and_fails_no_sample() -> None:
    found = evaluate(AUDITED, World({"rm2": {1}}), features=[{"rm": 1.0, "rm2": 5.0}, {"rm": 2.0, "rm2": 5.0}])
    assert (found.reward.tolist(), found.invalid) == ([1.0, 2.0], {})
    second = found.components["second"]
    np.testing.assert_array_equal(second.value, [5.0, np.nan])
    assert second.skipped is None


def test_an_audit_of_a_share_has_no_value_elsewhere() -> None:
    recipe = AUDITED.replace("audit: true", "audit: true, when: {sample: 1.0e-9}")
    found = evaluate(recipe + "group: {normalize: mean}\n", features=[{"rm": 1.0}, {"rm": 3.0}])
    assert found.reward.tolist() == [-1.0, 1.0]
    second = found.components["second"]
    assert second.skipped == ["sample", "sample"]
    assert np.isnan(second.value).all()


# Properties

COMPONENTS = ("a", "b", "c", "d")
NUMBER = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])


@st.composite
def conditions(draw: Callable[..., Any], before: Sequence[str], *, nested: bool = False) -> dict[str, Any]:
    """Conditions on components before, the group, a key of the sample, or alternatives of these."""
    known = ["component", "group", "key"] if nested else ["component", "group", "key", "any"]
    kinds = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    made: dict[str, Any] = {}
    for kind in kinds:
        bound = draw(st.sampled_from(["at_least", "above", "below", "equals"]))
        if kind == "component":
            made[draw(st.sampled_from(before))] = {bound: draw(NUMBER)}
        elif kind == "group":
            made["group"] = {
                draw(st.sampled_from(["spread_of", "mean_of"])): draw(st.sampled_from(before)),
                bound: draw(NUMBER),
            }
        elif kind == "key":
            made["has"] = "reference"
        else:
            made["any"] = draw(st.lists(conditions(before, nested=True), min_size=1, max_size=2))
    return made


@st.composite
def recipes(draw: Callable[..., Any]) -> dict[str, Any]:
    components: dict[str, Any] = {"a": {"score": "a"}}
    surely = draw(st.sampled_from(COMPONENTS[1:]))
    for k, name in enumerate(COMPONENTS[1:], 1):
        components[name] = {"score": name, "transforms": [{"affine": {"scale": draw(NUMBER)}}]}
        if name == surely or draw(st.booleans()):
            components[name] |= {"when": draw(conditions(COMPONENTS[:k])), "otherwise": draw(NUMBER)}
    return {"components": components, "combine": "weighted_sum", "group": {"single": "raw", "normalize": "mean"}}


class Oracle:
    """Computes everything, and replaces by ``otherwise`` afterwards."""

    def __init__(self, recipe: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        self.groups, self.references = columns["group_names"], columns["references"]
        self.rows = range(len(self.groups))
        self.values: dict[str, list[float]] = {}
        for name, spec in recipe["components"].items():
            scale = spec["transforms"][0]["affine"]["scale"] if "transforms" in spec else 1.0
            everything = [features[name] * scale for features in columns["features"]]
            self.values[name] = [
                everything[i] if self.holds(spec.get("when", {}), i) else spec["otherwise"] for i in self.rows
            ]

    def holds(self, when: Mapping[str, Any], i: int) -> bool:
        return all(self.holds_one(key, value, i) for key, value in when.items())

    def holds_one(self, key: str, value: Any, i: int) -> bool:
        if key == "has":
            return self.references[i] is not None
        if key == "any":
            return any(self.holds(alternative, i) for alternative in value)
        bound = next(name for name in value if name in BOUNDS)
        return BOUNDS[bound](self.measure(key, value, i), value[bound])

    def measure(self, key: str, value: Mapping[str, Any], i: int) -> float:
        if key != "group":
            return self.values[key][i]
        name = value.get("spread_of") or value["mean_of"]
        members = [self.values[name][k] for k in self.rows if self.groups[k] == self.groups[i]]
        return max(members) - min(members) if "spread_of" in value else sum(members) / len(members)


BOUNDS: dict[str, Callable[[float, float], bool]] = {
    "at_least": operator.ge,
    "above": operator.gt,
    "below": operator.lt,
    "equals": operator.eq,
}


@settings(max_examples=60, deadline=None)
@given(
    recipes(),
    st.lists(st.fixed_dictionaries(dict.fromkeys(COMPONENTS, NUMBER)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_reward_is_that_of_computing_everything_and_no_call_is_added(
    recipe: dict[str, Any], features: list[dict[str, float]], random: Any
) -> None:
    groups = [random.choice("xy") for _ in features]
    references = [random.choice([None, "r"]) for _ in features]
    columns: dict[str, Any] = {"features": features, "group_names": groups, "references": references}
    world = World()
    plan = compile_recipe(repr(recipe))
    found = evaluate(plan, world, **columns)
    assert not found.invalid
    assert found.reward_raw is not None
    oracle = Oracle(recipe, columns)
    for name, values in oracle.values.items():
        assert found.components[name].value.tolist() == values
        asked = [i for model, rows in world.asked if model == name for i in rows]
        assert len(asked) == len(set(asked))
        skipped = found.components[name].skipped or [None] * len(features)
        assert sorted(asked) == [i for i, by in enumerate(skipped) if by is None]
    np.testing.assert_allclose(found.reward_raw, np.sum(list(oracle.values.values()), axis=0))
    # Alone or in any order, each group has the same rewards.
    order = list(range(len(features)))
    random.shuffle(order)
    again = evaluate(plan, World(), **{name: [column[i] for i in order] for name, column in columns.items()})
    np.testing.assert_allclose(again.reward, found.reward[order], atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    recipes(),
    st.lists(st.fixed_dictionaries(dict.fromkeys(COMPONENTS, NUMBER)), min_size=1, max_size=5),
    st.dictionaries(st.sampled_from(COMPONENTS), st.sets(st.integers(0, 4), max_size=3)),
    st.lists(st.sampled_from("ab"), min_size=4, max_size=4),
    st.randoms(use_true_random=False),
)
def test_nothing_depends_on_which_model_answers_first(
    recipe: dict[str, Any],
    features: list[dict[str, float]],
    failing: dict[str, set[int]],
    models: list[str],
    random: Random,
) -> None:
    for component, model in zip(recipe["components"].values(), models, strict=True):
        component["score"] = random.choice([component["score"], model])  # several read one model
    groups = [random.choice("xy") for _ in features]
    references = [random.choice([None, "r"]) for _ in features]
    columns: dict[str, Any] = {"features": features, "group_names": groups, "references": references}
    plan = compile_recipe(repr(recipe))
    found, *others = (evaluate(plan, Shuffled(random, failing), **columns) for _ in range(4))
    for other in others:
        np.testing.assert_array_equal(other.reward, found.reward)
        assert (other.invalid, other.flags, other.skipped) == (found.invalid, found.flags, found.skipped)
        for name, component in found.components.items():
            np.testing.assert_array_equal(other.components[name].value, component.value)
            np.testing.assert_array_equal(other.components[name].raw, component.raw)
            assert other.components[name].skipped == component.skipped


@settings(max_examples=60, deadline=None)
@given(
    recipes(),
    st.lists(st.fixed_dictionaries(dict.fromkeys(COMPONENTS, NUMBER)), min_size=1, max_size=5),
    st.lists(st.sampled_from("ab"), min_size=4, max_size=4),
    st.randoms(use_true_random=False),
)
def test_no_model_is_asked_twice_about_a_sample(
    recipe: dict[str, Any], features: list[dict[str, float]], models: list[str], random: Random
) -> None:
    for component, model in zip(recipe["components"].values(), models, strict=True):
        component["score"] = model
    world = Shuffled(random)
    groups = [random.choice("xy") for _ in features]
    references = [random.choice([None, "r"]) for _ in features]
    evaluate(compile_recipe(repr(recipe)), world, features=features, group_names=groups, references=references)
    asked = [(model, i) for model, rows in world.asked for i in rows]
    assert len(asked) == len(set(asked))
