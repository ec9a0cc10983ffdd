"""The shortest whole recipe that uses an operation, for its page."""

from collections.abc import Mapping
from typing import Any

import yaml

from reward_gateway.operations.registry import Operation
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.fields import (
    infer_shape,
    number_fields,
    reads_sample,
    table_field,
    takes_group,
    value_field,
)

_BOUND: Mapping[str, Mapping[str, str]] = {
    "carr": {"question": "prompt", "label": "reference"},
    "graphia_edge": {"label": "response"},
    "igpo": {"gold": "reference"},
    "judge_pairwise": {"other": "reference"},
    "oni": {"message": "response"},
    "opinion_rm": {"reviews": "reference", "summary": "response"},
    "pprm": {"question": "prompt", "turns": "steps"},
    "reasoning_sql": {"gold_sql": "reference", "pred_sql": "response"},
    "roboreward": {"task": "prompt"},
    "rubric": {"criteria": "rubric"},
    "shapley": {"segments": "steps"},
}
"""Operation -> texts of its items, and the sample's field that has them under another name."""

_ASKED: Mapping[str, Mapping[str, str | None]] = {
    "carr": {"judge": "judge"},
    "judge_tournament": {"judge": "judge", "model": None},
    "shapley": {"model": "text_preference"},
}
"""Operation -> the judge or model that has to say what its first example gives; None: that of the example does not."""

_CONSTANTS: Mapping[str, Mapping[str, Any]] = {"carr": {"rubrics": ["<E0> was born in Honolulu"], "pages": {}}}
"""Operation -> fields of its items that are the same for every sample."""

_NOT_IN_SAMPLES = {"perceptual_step": "statistics of steps", "reasoning_sql": "the rows of queries"}
"""Operation -> what its items hold under a name that means something else in a sample, or as objects."""

FEATURE = {"given": "my_score", "given_steps": "my_steps"}
"""Features that stand for the caller's own numbers."""


def write_recipe(operation: Operation) -> str:
    """A file of recipes with one that uses the operation, as YAML; a comment where no recipe can."""
    if why := explain_no_recipe(operation):
        return f"# {why}: POST /v1/{operation.kind}/{operation.name}"
    recipe = build_recipe(operation)
    written = {"rewards": {"mine": recipe}}
    return yaml.safe_dump(written, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100).rstrip()


def explain_no_recipe(operation: Operation) -> str:
    """Why the operation is no part of a recipe; empty if it can be."""
    if operation.kind == "audit":
        return "An audit is not part of a recipe"
    if operation.kind == "transform" and value_field(operation) is None:
        return "It transforms no value of a component, and is not part of a recipe"
    if operation.kind == "combine" and table_field(operation) is None and not number_fields(operation):
        return "It combines no components, and is not part of a recipe"
    if name := _NOT_IN_SAMPLES.get(operation.name):
        return f"A sample cannot hold {name}, so it is not part of a recipe"
    if outside := [name for name in _list_features(operation) if not _is_numbers(_find_value(operation, name))]:
        return f"A sample has no feature that could hold {', '.join(outside)}, so it is not part of a recipe"
    return ""


def build_recipe(operation: Operation) -> dict[str, Any]:
    """A recipe that uses an operation, with its required parameters as in its worked examples.

    What recipes compute (values to transform, components to combine) is given as features of the sample.
    """
    arguments = _find_params(operation) | (_bind_fields(operation) if operation.kind == "credit" else {})
    step: Any = {operation.name: arguments} if arguments else operation.name
    match operation.kind:
        case "transform":
            given = "given_steps" if _takes_vector(operation) else "given"
            component = {**_give(given), "transforms": [step]}
            return _close({"mine": component}, vector=operation.returns == "vector")
        case "combine":
            return {"components": _list_components(operation), "combine": step}
        case "credit":
            return {"components": _list_credited(operation), "credit": step}
        case _:
            return _build_score(operation)


def _build_score(operation: Operation) -> dict[str, Any]:
    component: dict[str, Any] = {"score": operation.name}
    if params := _find_params(operation):
        component["params"] = params
    if inputs := _bind_fields(operation):
        component["inputs"] = inputs
    return _close({"mine": component}, vector=operation.returns == "vector")


def _bind_fields(operation: Operation) -> dict[str, Any]:
    """Where the fields are read that have another name in a sample."""
    bound = {name: {"sample": field} for name, field in _BOUND.get(operation.name, {}).items()}
    return {**bound, **_CONSTANTS.get(operation.name, {})}


def _close(components: dict[str, Any], *, vector: bool) -> dict[str, Any]:
    """A recipe of one component; of a vector, with its mean as the reward."""
    if vector:
        (component,) = components.values()
        component["transforms"] = [*component.get("transforms", ()), {"aggregate": {"how": "mean"}}]
    return {"components": components}


def _give(scorer: str, feature: str = "") -> dict[str, Any]:
    field = "value" if scorer == "given" else "values"
    return {"score": scorer, "inputs": {field: {"feature": feature or FEATURE[scorer]}}}


def _takes_vector(operation: Operation) -> bool:
    main = value_field(operation)
    return main is not None and infer_shape(operation.item.model_fields[main]) == "vector"


def _find_params(operation: Operation) -> dict[str, Any]:
    """The parameters of the first worked example, those that are required, and a name for what is stored."""
    fields = operation.params.model_fields
    examples = examples_of(operation.kind, operation.name)
    needed = [field.alias or name for name, field in fields.items() if field.is_required()]
    stored = [name for name in ("stream", "archive") if name in fields and name in operation.item.model_fields]
    params: dict[str, Any] = {
        **{name: next(e.params[name] for e in examples if name in e.params) for name in needed},
        **dict.fromkeys(stored, "mine"),
        **examples[0].params,
        **_ASKED.get(operation.name, {}),
    }
    return {name: value for name, value in params.items() if value is not None}


def _list_components(operation: Operation) -> dict[str, Any]:
    """Components of a combiner, named as in its first worked example."""
    item = examples_of(operation.kind, operation.name)[0].items[0]
    if parts := number_fields(operation):
        return {name: _give("given", name) for name in parts if name in item}
    table = item[table_field(operation) or ""]
    names = list(table) if isinstance(table, Mapping) else [f"part_{i}" for i in range(1, len(table) + 1)]
    if isinstance(table, list) and isinstance(table[0], Mapping):
        names = [name for name, value in table[0].items() if isinstance(value, int | float)]
    components = {name: _give("given", name) for name in names}
    if operation.name == "log_sigmoid_sum":  # of what the transform of that name gives
        for component in components.values():
            component["transforms"] = [{"log_sigmoid": {"reference": 0.0}}]
    return components


def _list_credited(operation: Operation) -> dict[str, Any]:
    """The outcome and the steps that the credit assignment reads; what else it reads are features of the sample."""
    fields = operation.item.model_fields
    components: dict[str, Any] = {}
    if {"reward", "outcome"} & {*fields} or takes_group(operation):
        components["outcome"] = _give("given", "outcome")
    main = value_field(operation)
    if main is not None and _takes_vector(operation) and not takes_group(operation):
        components[main] = _give("given_steps", main)
    return components or {"outcome": _give("given", "outcome")}


def _list_features(operation: Operation) -> list[str]:
    """The fields that every item needs and that recipes read from features."""
    computed = {"score": None, "combine": table_field(operation)}.get(operation.kind, value_field(operation))
    parts = number_fields(operation)
    return [
        name
        for name, field in operation.item.model_fields.items()
        if field.is_required()
        and name != computed
        and name not in parts
        and name not in ("outcome", "reward", "group", "trajectories")
        and name not in operation.rule_fields
        and not reads_sample(name, field)
        and name not in _BOUND.get(operation.name, {})
    ]


def _find_value(operation: Operation, name: str) -> Any:
    """A field's value in a worked example."""
    items = [item for example in examples_of(operation.kind, operation.name) for item in example.items]
    return next((item[name] for item in items if name in item), None)


def _is_numbers(value: Any) -> bool:
    """Whether a value can be a feature: a number, or lists of numbers."""
    return all(map(_is_numbers, value)) if isinstance(value, list) else isinstance(value, int | float)
