"""The page of one recipe: its components as a diagram and as YAML, and an example request."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.column_types import fit_column
from reward_gateway.recipes.component_plan import ComponentPlan
from reward_gateway.recipes.picture import describe_use
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample.fields import FIELDS, OF_METADATA

from .flow import draw_flow
from .html import Html, el, join
from .layout import code_block, render_layout, render_table
from .operation_page import format_curl
from .prose import phrase
from .site import Place, operation_path

_SAMPLE: dict[str, Any] = {field.name: field.example for field in FIELDS if field.example is not None}


def render_recipe(place: Place, plan: Plan, default: bool) -> Html:
    """Render the page; ``default``: this recipe is used if a request names none."""
    return render_layout(
        place,
        plan.name,
        el("h1", el("small", "rewards/"), plan.name),
        el("p", phrase(plan.description), class_="lead"),
        el("ul", render_facts(plan, default), class_="facts"),
        draw_flow(place, plan),
        el("h2", "Components"),
        render_components(place, plan),
        render_guards(plan),
        el("h2", "Call"),
        code_block(format_curl("/v1/score", {"reward": plan.name, "samples": [build_sample(plan)]}), copy=True),
        el("h2", "YAML"),
        code_block(
            yaml.safe_dump({plan.name: dict(plan.source)}, sort_keys=False, allow_unicode=True, width=100), copy=True
        ),
        el("p", "Version: ", el("code", plan.version), class_="note"),
    )


def build_sample(plan: Plan) -> dict[str, Any]:
    """Build an example sample with the fields that the recipe reads: that of its first rule with a worked example."""
    sample: dict[str, Any] = {name: _SAMPLE[name] for name in ("prompt", "response")}
    worked = _find_worked_fields(plan)
    if worked:
        sample = {name: value for name, value in sample.items() if name in plan.inputs} | worked
    features: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name in plan.inputs:
        if name.startswith(OF_METADATA):
            metadata[name.removeprefix(OF_METADATA)] = _choose_case(plan, name)
        elif name.startswith("features."):
            features[name.removeprefix("features.")] = _choose_feature(plan, name.removeprefix("features."))
        elif name in _SAMPLE and name not in sample:
            sample[name] = _SAMPLE[name]
    if features:
        sample["features"] = features
    return {**sample, "metadata": metadata} if metadata else sample


def _choose_case(plan: Plan, key: str) -> str:
    """A value of a key that chooses a case, or that a condition looks at."""
    return next((component.cases[0].case for component in plan.components if component.by == key), "…")


def _choose_feature(plan: Plan, name: str) -> Any:
    """A value of a feature that the operation which reads it takes: a number, or else a list of them."""
    steps = [part.step for part in plan.parts if part.step is not None]
    for step in steps:
        for field, binding in step.bindings.items():
            if binding.kind == "feature" and binding.value == name and fit_column(step.operation.item, field, [1.0])[1]:
                return [1.0]
    return 1.0


def _find_worked_fields(plan: Plan) -> dict[str, Any]:
    """Response and reference of a worked example; none where a model scores, or no rule compares with a reference."""
    if any(part.step is None for part in plan.parts):
        return {}
    for operation in [part.step.operation for part in plan.parts if part.step is not None]:
        for example in examples_of(operation.kind, operation.name):
            item = example.items[0]
            reference = _write_reference(item, operation.rule_fields)
            if "response" in item and reference is not None:
                return {"response": item["response"], "reference": reference}
    return {}


def _write_reference(item: Mapping[str, Any], rule_fields: Sequence[str]) -> Any:
    """The reference of a sample for an operation's item: its own, or an object with the fields of the rule."""
    fields = {name: item[name] for name in rule_fields if name in item}
    if not fields:
        return item.get("reference")
    return {**({"answer": item["reference"]} if "reference" in item else {}), **fields}


def render_facts(plan: Plan, default: bool) -> list[Html]:
    """What it is like, in a few words each; ``default``: it is used if a request names none."""
    facts = ["the default"] if default else []
    facts.append(f"returns a {plan.returns}")
    facts += [trait for trait, holds in (("grouped", plan.grouped), ("stateful", plan.stateful)) if holds]
    if plan.range:
        facts.append(f"from {plan.range[0]:g} to {plan.range[1]:g}")
    facts.append("reads " + (", ".join(plan.inputs) or "nothing"))
    return [el("li", fact) for fact in facts]


def render_components(place: Place, plan: Plan) -> Html:
    """Its components, with what scores and transforms them."""
    rows: list[tuple[Any, ...]] = []
    for component in plan.parts:
        if component.step is not None:
            kind, name = component.step.operation.kind, component.step.operation.name
            score = el("a", name, href=place.link_to(operation_path(kind, name)))
            params: Mapping[str, Any] = component.step.params.model_dump(mode="json", exclude_unset=True)
        else:
            dimension = f" ({component.dimension})" if component.dimension else ""
            score = join("model ", el("code", str(component.model)), dimension)
            params = {}
        transforms = [
            (el("a", step.operation.name, href=place.link_to(operation_path("transform", step.operation.name))), " ")
            for step in component.transforms
        ]
        shown = ", ".join(f"{key} {value}" for key, value in params.items())
        rows.append((el("code", component.name), score, shown or "—", transforms or "—"))
        if plan.stages:
            rows[-1] += (_describe_use(plan, component),)
    columns = ("component", "score", "parameters", "transforms")
    return render_table((*columns, "computed") if plan.stages else columns, *rows)


def _describe_use(plan: Plan, part: ComponentPlan) -> str:
    """Where a component of a recipe with conditions is computed, and what for."""
    component = next(component for component in plan.components if component.name == part.name)
    stage = next(i for i, stage in enumerate(plan.stages, 1) if component in stage)
    said = [f"stage {stage}"]
    if part.case:
        said.append(f"where {component.by} is {part.case}")
    return ", ".join([*said, *describe_use(plan.source["components"][component.name])])


def render_guards(plan: Plan) -> Html | None:
    """Its guards, if it has any."""
    if not plan.guards:
        return None
    rows = ((el("code", guard.guard.name), guard.action, phrase(guard.guard.summary)) for guard in plan.guards)
    return join(el("h2", "Guards"), render_table(("guard", "action", "detects"), *rows))
