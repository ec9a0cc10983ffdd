"""The loaded recipes: a file is compiled as a whole or refused as a whole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from reward_gateway.accounts import refuse_recipe
from reward_gateway.errors import InvalidRecipe, NotFound
from reward_gateway.operations.registry import Catalog, catalog
from reward_gateway.sample import split_version

from .canaries import Faults, add_canaries, set_weights
from .compile import Compiler
from .implicit_recipes import find_implicit_recipe
from .known_models import KnownModels, may_be_model
from .locations import Locations, decode_text, parse_yaml
from .plan import Experiment, Plan
from .schema import ExperimentSpec, RecipeFile, RecipeSpec
from .suggestions import did_you_mean
from .unknown_keys import explain_fault

ANY_MODEL = "*"
"""The alias of every ``model`` that nothing else has as its name."""


NOT_SERVED = "no model or upstream {model!r} is served yet; until one is, the recipe gives no reward"


@dataclass(frozen=True, slots=True)
class RecipeBook:
    """Plans by name, in the order of the file.

    Attributes:
        default: the recipe that answers where a request names none; empty in a view that has not got it.
        aliases: further names of recipes and of served models; :data:`ANY_MODEL` for every other ``model``.
        warnings: what works but is hardly meant, with its place in the file.
        missing: models that recipes await and that are not served, with their places in the file.
        only: names that a caller may use; None: all. A view of the book for such a caller has no other recipe.
    """

    plans: Mapping[str, Plan]
    default: str
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[dict[str, str]] = ()
    missing: Sequence[dict[str, str]] = ()
    only: frozenset[str] | None = None

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def find(self, name: str) -> Plan | None:
        """The plan of a recipe, by its name or an alias; None if there is none."""
        return self.plans.get(name) or self.plans.get(self.resolve_alias(name))

    def resolve_alias(self, name: str) -> str:
        """What an alias stands for; any other name unchanged."""
        return self.aliases.get(name, name) if name != ANY_MODEL else name

    def get(self, name: str) -> Plan:
        """The plan of a recipe, by its name or an alias.

        Raises:
            NotFound: there is no such recipe.
            PermissionDenied: this is a view for a caller who may not use it, if it exists.
        """
        plan = self.find(name)
        if plan is None:
            if not self.allows(name):
                raise refuse_recipe()
            raise NotFound("there is no reward of this name; GET /v1/rewards lists them", param="reward")
        return plan

    def choose(self) -> Plan:
        """The default recipe, or the first one in a view without it. Raises PermissionDenied if a view has none."""
        plan = self.plans.get(self.default) or next(iter(self.plans.values()), None)
        if plan is None:
            raise refuse_recipe()
        return plan

    def allows(self, name: str) -> bool:
        """Whether the caller may use what has this name: a recipe, an alias or a served model, if there is one."""
        return self.only is None or name in self.only or self.resolve_alias(name) in self.only

    def limit_to(self, names: frozenset[str]) -> "RecipeBook":
        """The view of a caller who may use only these recipes, aliases and served models.

        A recipe that an alias among them stands for is one of them, under all of its names.
        """
        only = names | {self.resolve_alias(name) for name in names}
        experiments = {
            name: each for name, each in self.experiments.items() if each.reward is not None and each.reward in only
        }
        return replace(
            self,
            plans={name: plan for name, plan in self.plans.items() if name in only},
            default=self.default if self.default in only else "",
            experiments=experiments,
            aliases={alias: target for alias, target in self.aliases.items() if target in only},
            warnings=(),
            missing=(),
            only=only,
        )

    def with_weights(self, weights: Mapping[str, float]) -> "RecipeBook":
        """The recipes with other weights of their canaries, by the recipe's name.

        Raises:
            InvalidRecipe: a weight is that of no recipe with a canary, or not between 0 and 1.
        """
        return replace(self, plans=set_weights(self.plans, weights)) if weights else self

    def summary(self) -> dict[str, Any]:
        """The body of ``GET /v1/rewards``."""
        return {"rewards": [plan.summary() for plan in self], "default": self.default or None}


def load_book(
    text: str | bytes,
    models: KnownModels | None = None,
    operations: Catalog | None = None,
    judges: Mapping[str, str] = MappingProxyType({}),
) -> RecipeBook:
    """Compile the text of a recipe file (YAML or JSON, UTF-8).

    The same check is used at start-up, for a changed file, by ``POST /v1/rewards:validate`` and by ``rewards check``.

    Args:
        models: the models that a recipe may name, each with its inputs and outputs; None if they are not known yet: any
            name that is no operation is then accepted as a model.
        judges: the fallback of each judge that has one.

    Raises:
        InvalidRecipe: with every fault and its line.
    """
    value, locations = parse_yaml(decode_text(text) if isinstance(text, bytes) else text)
    file = _validate_shape(value, locations)
    faults: list[dict[str, str]] = []
    missing: list[dict[str, str]] = []
    plans: dict[str, Plan] = {}

    def compile_recipe(name: str, spec: RecipeSpec) -> tuple[Plan | None, Faults]:
        compiler = Compiler(name, spec, operations or catalog(), models, judges)
        plan = compiler.compile()
        for model in compiler.missing:
            path = ("rewards", name, "awaits", model)
            missing.append(locations.describe_fault(path, NOT_SERVED.format(model=model)))
        return plan, compiler.faults

    for name, spec in file.rewards.items():
        plan, found = compile_recipe(name, spec)
        faults += [locations.describe_fault(path, message) for path, message in found]
        if plan is not None:
            plans[name] = plan
    plans, found, changes = add_canaries(file, plans, compile_recipe)
    faults += [locations.describe_fault(path, message) for path, message in found]
    default = file.default or next(iter(file.rewards))
    if default not in file.rewards:
        message = f"the default names no reward of this file{did_you_mean(default, file.rewards)}"
        faults.append(locations.describe_fault(("default",), message))
    for alias, message in _check_aliases(file, models):
        faults.append(locations.describe_fault(("model_aliases", alias), message))
    for name, experiment in file.experiments.items():
        for key, message in _check_experiment(experiment, file, plans, models):
            faults.append(locations.describe_fault(("experiments", name, key), message))
    if faults:
        raise InvalidRecipe(_summarize_faults(faults), faults=faults)
    experiments = {
        name: Experiment(name, spec.model, spec.candidate, spec.fraction, spec.reward)
        for name, spec in file.experiments.items()
    }
    warnings = [
        locations.describe_fault(("rewards", name), "a served model has this name, too: the recipe answers to it")
        for name, plan in plans.items()
        if models is not None and name in models and not plan.is_number_of(name)
    ]
    warnings += [locations.describe_fault(path, message) for path, message in changes]
    return RecipeBook(plans, default, experiments, file.model_aliases, warnings, missing)


def _check_aliases(file: RecipeFile, models: KnownModels | None) -> Iterator[tuple[str, str]]:
    """Faults of aliases: the alias, and what is wrong with it."""
    for alias, target in file.model_aliases.items():
        if alias in file.rewards:
            yield alias, "is the name of a recipe: an alias needs a name of its own"
        if target in file.rewards or may_be_model(target, models):
            continue
        if models is None or find_implicit_recipe(target, models) is not None:
            continue
        known = [*file.rewards, *models]
        yield alias, f"there is no reward and no served model {target!r}{did_you_mean(target, known)}"


def _check_experiment(
    spec: ExperimentSpec, file: RecipeFile, plans: Mapping[str, Plan], models: KnownModels | None
) -> Iterator[tuple[str, str]]:
    """Faults of an experiment: the key, and what is wrong with it."""
    if spec.reward is not None and spec.reward not in file.rewards:
        yield "reward", f"there is no reward {spec.reward!r} in this file{did_you_mean(spec.reward, file.rewards)}"
    used_models = {model for name, plan in plans.items() if spec.reward in (None, name) for model in plan.models}
    if spec.model not in used_models and plans.keys() >= file.rewards.keys():
        yield (
            "model",
            f"no recipe asks for {spec.model!r} (models in use: {', '.join(sorted(used_models)) or 'none'})",
        )
    if spec.candidate == spec.model:
        yield "candidate", "the candidate is the model itself"
    if models is None or may_be_model(spec.candidate, models):
        return
    name, version = split_version(spec.candidate)
    if version and name in models:
        yield "candidate", f"the model {name} serves no version {version!r}"
    else:
        yield "candidate", f"there is no model {spec.candidate!r}{did_you_mean(spec.candidate, models)}"


def compile_source(name: str, source: Mapping[str, Any], models: KnownModels | None, judges: Mapping[str, str]) -> Plan:
    """Compile a recipe of its source, as a plan has it. Raises InvalidRecipe.

    Args:
        judges: the fallback of each judge that has one.
    """
    compiler = Compiler(name, RecipeSpec.model_validate(source), catalog(), models, judges)
    plan = compiler.compile()
    if plan is None:
        raise InvalidRecipe("; ".join(message for _, message in compiler.faults))
    return plan


def check_recipe_file(
    known: KnownModels | None,
    read: Callable[[bytes], str],
    body: bytes = b"",
    *,
    judges: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Whether a recipe file would load, every fault with its place, and its recipes.

    Args:
        read: decodes the body to the file's text.
        judges: the fallback of each judge that has one.
    """
    try:
        book = load_book(read(body), known, judges=judges)
    except InvalidRecipe as error:
        return {"valid": False, "faults": error.faults, "warnings": [], "rewards": []}
    warnings = [*book.warnings, *book.missing]
    return {"valid": True, "faults": [], "warnings": warnings, "rewards": book.summary()["rewards"]}


def _validate_shape(value: Any, locations: Locations) -> RecipeFile:
    try:
        return RecipeFile.model_validate(value)
    except ValidationError as error:
        faults = [
            locations.describe_fault(
                tuple(part for part in fault["loc"] if part != "[key]"), explain_fault(fault, RecipeFile)
            )
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidRecipe(_summarize_faults(faults), faults=faults) from None


def _summarize_faults(faults: list[dict[str, str]]) -> str:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{first['place']}, {first['path'] or 'the file'}: {first['message']}{more}"
