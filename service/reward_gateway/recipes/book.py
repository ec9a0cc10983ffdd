"""The recipes that are loaded: a file as a whole, compiled or refused as a whole."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from reward_gateway.errors import InvalidRecipe, NotFound
from reward_gateway.operations.registry import Catalog, catalog
from reward_gateway.sample import split_version

from .compile import Compiler
from .locations import Locations, parse
from .plan import Experiment, Plan
from .schema import ExperimentSpec, RecipeFile


@dataclass(frozen=True, slots=True)
class RecipeBook:
    """Plans by name, in the order of the file."""

    plans: Mapping[str, Plan]
    default: str
    experiments: Mapping[str, Experiment] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans.values())

    def __contains__(self, name: object) -> bool:
        return name in self.plans

    def get(self, name: str) -> Plan:
        """The plan of a reward.

        Raises:
            NotFound: there is no such reward.
        """
        plan = self.plans.get(name)
        if plan is None:
            raise NotFound("there is no reward of this name; GET /v1/rewards lists them", param="reward")
        return plan

    def summary(self) -> dict[str, Any]:
        """The body of ``GET /v1/rewards``."""
        return {"rewards": [plan.summary() for plan in self], "default": self.default}


def load_book(
    text: str,
    models: Mapping[str, Collection[str]] | None = None,
    operations: Catalog | None = None,
    *,
    strict: bool = False,
    pinned: bool = True,
) -> RecipeBook:
    """Compile the text of a recipe file (YAML or JSON).

    Args:
        models: input fields of each known model.
        strict: refuse a name that is no operation and no known model; else it is taken for a model that is still to
            come. Without known models there is nothing to be strict about.
        pinned: refuse ``NAME@VERSION`` of a known model that does not serve this version; else it is still to come.

    Raises:
        InvalidRecipe: with every fault and its place.
    """
    value, locations = parse(text)
    file = _shaped(value, locations)
    faults: list[dict[str, str]] = []
    plans: dict[str, Plan] = {}
    for name, spec in file.rewards.items():
        compiler = Compiler(name, spec, operations or catalog(), models, strict=strict, pinned=pinned)
        plan = compiler.compile()
        faults += [locations.fault(path, message) for path, message in compiler.faults]
        if plan is not None:
            plans[name] = plan
    default = file.default or next(iter(file.rewards))
    if default not in file.rewards:
        faults.append(locations.fault(("default",), "the default names no reward of this file"))
    for name, experiment in file.experiments.items():
        for key, message in _untrue(experiment, file, plans, models or {}, pinned=pinned):
            faults.append(locations.fault(("experiments", name, key), message))
    if faults:
        raise InvalidRecipe(_sentence(faults), faults=faults)
    experiments = {
        name: Experiment(name, spec.model, spec.candidate, spec.fraction, spec.reward)
        for name, spec in file.experiments.items()
    }
    return RecipeBook(plans, default, experiments)


def _untrue(
    spec: ExperimentSpec, file: RecipeFile, plans: Mapping[str, Plan], models: Mapping[str, Any], *, pinned: bool
) -> Iterator[tuple[str, str]]:
    """What an experiment names and is not there: its key, and the fault."""
    if spec.reward is not None and spec.reward not in file.rewards:
        yield "reward", f"there is no reward {spec.reward!r} in this file"
    asked = {model for name, plan in plans.items() if spec.reward in (None, name) for model in plan.models}
    if spec.model not in asked and len(plans) == len(file.rewards):
        yield "model", f"no recipe asks for {spec.model!r} (they ask for: {', '.join(sorted(asked)) or 'no model'})"
    if spec.candidate == spec.model:
        yield "candidate", "the candidate is the model itself"
    name, version = split_version(spec.candidate)
    if pinned and version and name in models and spec.candidate not in models:
        yield "candidate", f"the model {name} serves no version {version!r}"


def _shaped(value: Any, locations: Locations) -> RecipeFile:
    try:
        return RecipeFile.model_validate(value)
    except ValidationError as error:
        faults = [
            locations.fault(tuple(part for part in fault["loc"] if part != "[key]"), str(fault["msg"]))
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidRecipe(_sentence(faults), faults=faults) from None


def _sentence(faults: list[dict[str, str]]) -> str:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{first['place']}, {first['path'] or 'the file'}: {first['message']}{more}"
