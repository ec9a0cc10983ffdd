"""The loaded recipes: a file is compiled as a whole or refused as a whole."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from reward_gateway.errors import InvalidRecipe, NotFound
from reward_gateway.operations.registry import Catalog, catalog
from reward_gateway.sample import split_version

from .compile import Compiler
from .known_models import KnownModels
from .locations import Locations, decode_text, parse_yaml
from .plan import Experiment, Plan
from .schema import ExperimentSpec, RecipeFile
from .suggestions import did_you_mean


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
    text: str | bytes,
    models: KnownModels | None = None,
    operations: Catalog | None = None,
) -> RecipeBook:
    """Compile the text of a recipe file (YAML or JSON, UTF-8).

    The same check is used at start-up, for a changed file, by ``POST /v1/rewards:validate`` and by ``rewards check``.

    Args:
        models: the models that a recipe may name, each with its inputs and outputs; None if they are not known yet: any
            name that is no operation is then accepted as a model.

    Raises:
        InvalidRecipe: with every fault and its line.
    """
    value, locations = parse_yaml(decode_text(text) if isinstance(text, bytes) else text)
    file = _validate_shape(value, locations)
    faults: list[dict[str, str]] = []
    plans: dict[str, Plan] = {}
    for name, spec in file.rewards.items():
        compiler = Compiler(name, spec, operations or catalog(), models)
        plan = compiler.compile()
        faults += [locations.describe_fault(path, message) for path, message in compiler.faults]
        if plan is not None:
            plans[name] = plan
    default = file.default or next(iter(file.rewards))
    if default not in file.rewards:
        message = f"the default names no reward of this file{did_you_mean(default, file.rewards)}"
        faults.append(locations.describe_fault(("default",), message))
    for name, experiment in file.experiments.items():
        for key, message in _check_experiment(experiment, file, plans, models):
            faults.append(locations.describe_fault(("experiments", name, key), message))
    if faults:
        raise InvalidRecipe(_summarize_faults(faults), faults=faults)
    experiments = {
        name: Experiment(name, spec.model, spec.candidate, spec.fraction, spec.reward)
        for name, spec in file.experiments.items()
    }
    return RecipeBook(plans, default, experiments)


def _check_experiment(
    spec: ExperimentSpec, file: RecipeFile, plans: Mapping[str, Plan], models: KnownModels | None
) -> Iterator[tuple[str, str]]:
    """Faults of an experiment: the key, and what is wrong with it."""
    if spec.reward is not None and spec.reward not in file.rewards:
        yield "reward", f"there is no reward {spec.reward!r} in this file{did_you_mean(spec.reward, file.rewards)}"
    used_models = {model for name, plan in plans.items() if spec.reward in (None, name) for model in plan.models}
    if spec.model not in used_models and len(plans) == len(file.rewards):
        yield (
            "model",
            f"no recipe asks for {spec.model!r} (models in use: {', '.join(sorted(used_models)) or 'none'})",
        )
    if spec.candidate == spec.model:
        yield "candidate", "the candidate is the model itself"
    if models is None or spec.candidate in models:
        return
    name, version = split_version(spec.candidate)
    if version and name in models:
        yield "candidate", f"the model {name} serves no version {version!r}"
    else:
        yield "candidate", f"there is no model {spec.candidate!r}{did_you_mean(spec.candidate, models)}"


def check_recipe_file(known: KnownModels | None, read: Callable[[bytes], str], body: bytes = b"") -> dict[str, Any]:
    """Whether a recipe file would load, every fault with its place, and its recipes.

    Args:
        read: decodes the body to the file's text.
    """
    try:
        book = load_book(read(body), known)
    except InvalidRecipe as error:
        return {"valid": False, "faults": error.faults, "rewards": []}
    return {"valid": True, "faults": [], "rewards": book.summary()["rewards"]}


def _validate_shape(value: Any, locations: Locations) -> RecipeFile:
    try:
        return RecipeFile.model_validate(value)
    except ValidationError as error:
        faults = [
            locations.describe_fault(tuple(part for part in fault["loc"] if part != "[key]"), str(fault["msg"]))
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidRecipe(_summarize_faults(faults), faults=faults) from None


def _summarize_faults(faults: list[dict[str, str]]) -> str:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{first['place']}, {first['path'] or 'the file'}: {first['message']}{more}"
