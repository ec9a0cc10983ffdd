"""Canaries: new versions of recipes that score a share of the groups.

A group is given to one of the two versions by a hash of its name, in every process and at any time, so that the samples
of a prompt are compared with samples that the same version scored. A larger weight adds groups to the new version's and
takes none of them back.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from reward_gateway.errors import InvalidRecipe
from reward_gateway.sample import Batch, plain_text

from .locations import Path
from .plan import Canary, Plan
from .schema import CanarySpec, RecipeFile, RecipeSpec
from .shares import share_of
from .suggestions import did_you_mean

Faults = list[tuple[Path, str]]

SUFFIX = ".canary"
"""What the name of a recipe ends in that a canary's ``models`` stand for."""

_READ_BEFORE = ("chat_format", "plain_text", "judge")
"""What decides how samples are read, which is done before each is given to a version."""


def choose_rows(recipe: str, canary: Canary, batch: Batch) -> list[int]:
    """The rows of a batch whose groups the new version scores.

    A group is that of :meth:`.Batch.groups`: the sample's own, else its prompt. A sample with neither goes by its
    response.
    """
    if canary.weight >= 1:
        return list(range(batch.size))
    if canary.weight <= 0:
        return []
    names = batch.groups()
    for row in batch.without_group():
        names[row] = plain_text(batch.responses[row] or "")
    name = f"canary/{recipe}/{canary.plan.name}"
    chosen = {group for group in set(names) if share_of(name, group) < canary.weight}
    return [row for row, group in enumerate(names) if group in chosen]


def write_canary_spec(spec: RecipeSpec, canary: CanarySpec) -> RecipeSpec:
    """The recipe that a canary's ``models`` stand for: the same one, whose components ask other models."""
    models: Mapping[str, str] = canary.models or {}
    content = spec.model_dump(mode="json", exclude_unset=True, exclude={"canary"})
    for component in content["components"].values():
        score = component["score"]
        for scorer in [component] if isinstance(score, str) else score["cases"].values():
            scorer["score"] = models.get(scorer["score"], scorer["score"])
    if "awaits" in content:
        content["awaits"] = {models.get(name, name): known for name, known in content["awaits"].items()}
    return RecipeSpec.model_validate(content)


def add_canaries(
    file: RecipeFile, plans: Mapping[str, Plan], compile_recipe: Callable[[str, RecipeSpec], tuple[Plan | None, Faults]]
) -> tuple[dict[str, Plan], Faults, Faults]:
    """The plans with their canaries and the recipes that these stand for, faults, and warnings.

    Args:
        plans: the recipes without faults.
        compile_recipe: the plan of a recipe, or None and its faults.
    """
    faults: Faults = []
    warnings: Faults = []
    added: dict[str, Plan] = {}
    for name, plan in plans.items():
        added[name] = plan
        if (spec := file.rewards[name].canary) is None:
            continue
        path: Path = ("rewards", name, "canary")
        found = [((*path, key), message) for key, message in _find_name_faults(name, spec, file)]
        faults += found
        if found:
            continue
        if spec.recipe is not None:
            new = plans.get(spec.recipe)  # None: it has faults, which are told
        else:
            new, failed = compile_recipe(name + SUFFIX, write_canary_spec(file.rewards[name], spec))
            faults += [((*path, "models"), f"with these models, {_name_place(at)}: {why}") for at, why in failed]
        if new is None:
            continue
        key = "recipe" if spec.recipe is not None else "models"
        faults += [((*path, key), message) for message in _find_differences(plan, new)]
        warnings += [((*path, key), message) for message in _find_changes(plan, new)]
        added[name] = replace(plan, canary=Canary(new, spec.weight))
        if spec.models is not None:
            added[new.name] = new
    return added, faults, warnings


def set_weights(plans: Mapping[str, Plan], weights: Mapping[str, float]) -> dict[str, Plan]:
    """The plans with other weights of their canaries.

    Raises:
        InvalidRecipe: a weight is that of no recipe with a canary.
    """
    faults = []
    changed = dict(plans)
    with_canary = [name for name, plan in plans.items() if plan.canary is not None]
    for name, weight in weights.items():
        plan = plans.get(name)
        if plan is None:
            message = f"there is no reward {name!r} in the recipe file{did_you_mean(name, plans)}"
        elif plan.canary is None:
            message = f"the recipe has no `canary:` (recipes that have one: {', '.join(with_canary) or 'none'})"
        elif not 0 <= weight <= 1:
            message = f"{weight} is no weight: a number from 0 (rolled back) to 1 (promoted)"
        else:
            changed[name] = replace(plan, canary=Canary(plan.canary.plan, weight))
            continue
        faults.append({"path": f"canary_weights.{name}", "place": "", "message": message})
    if faults:
        raise InvalidRecipe(f"{faults[0]['path']}: {faults[0]['message']}", faults=faults)
    return changed


def _name_place(path: Path) -> str:
    return ".".join(map(str, path[2:])) or "the recipe"


def _find_name_faults(name: str, spec: CanarySpec, file: RecipeFile) -> Iterator[tuple[str, str]]:
    """What is wrong with what a canary names: its key, and why."""
    if spec.models is not None:
        if name + SUFFIX in file.rewards:
            yield (
                "models",
                f"they stand for a recipe {name + SUFFIX!r}, and this file has one already",
            )
        asked = {str(part.score) for component in file.rewards[name].components.values() for part in component.scorers}
        for model, new in spec.models.items():
            if model not in asked:
                yield "models", f"no component of this recipe asks for {model!r}{did_you_mean(model, asked)}"
            elif model == new:
                yield "models", f"{model!r} is replaced by itself"
        return
    target = file.rewards.get(str(spec.recipe))
    if target is None:
        yield "recipe", f"there is no reward {spec.recipe!r} in this file{did_you_mean(str(spec.recipe), file.rewards)}"
    elif spec.recipe == name:
        yield "recipe", "the new version is the recipe itself"
    elif target.canary is not None:
        yield "recipe", f"{spec.recipe} has a canary itself: a group would be given away twice. Remove one of the two"


def _find_differences(old: Plan, new: Plan) -> Iterator[str]:
    """Why two versions cannot answer one request."""
    if old.returns != new.returns:
        yield f"{old.name} gives a {old.returns} per sample and {new.name} a {new.returns}: one request has one kind"
    if old.grouped != new.grouped or (old.group.cohort is None) != (new.group.cohort is None):
        yield f"{old.name} {_describe_group(old)}, and {new.name} {_describe_group(new)}: give both the same `group`"
    elif old.group.answer != new.group.answer:
        yield f"group.answer is {old.group.answer} in {old.name} and {new.group.answer} in {new.name}"
    if old.on_reset != new.on_reset:
        yield f"on_reset is {old.on_reset} in {old.name} and {new.on_reset} in {new.name}"
    for field in _READ_BEFORE:
        if getattr(old, field) != getattr(new, field):
            yield (
                f"{field} differs: samples are read before each is given to a version. Give both recipes the same, or "
                f"canary the change of {field} under a recipe of its own"
            )


def _describe_group(plan: Plan) -> str:
    if plan.group.cohort is not None:
        return "joins cohorts"
    return "compares the samples of a group" if plan.grouped else "scores each sample by itself"


def _find_changes(old: Plan, new: Plan) -> Iterator[str]:
    """What trainers may notice of a canary."""
    if old.range != new.range:
        yield f"another range of rewards: {_write_range(old)} in {old.name}, {_write_range(new)} in {new.name}"
    if missing := [field for field in new.inputs if field not in old.inputs]:
        fields = ", ".join(missing)
        yield f"{new.name} needs {fields}, which {old.name} does not: its samples without that are invalid"
    if old.grouped and old.group != new.group:
        yield "the groups are compared in another way: rewards of the two versions differ in scale"
    if (old.on_invalid, old.default_reward) != (new.on_invalid, new.default_reward):
        yield f"on_invalid differs: that of {old.name} counts for the samples of both"


def _write_range(plan: Plan) -> str:
    return "none declared" if plan.range is None else f"{plan.range[0]:g} to {plan.range[1]:g}"
