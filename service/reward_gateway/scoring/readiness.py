"""Which recipes can answer now, and why the others cannot."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from reward_gateway.errors import GatewayError, ModelUnavailable, NotFound, NotSetUp, Unavailable
from reward_gateway.operations.names import Named
from reward_gateway.recipes.plan import Plan
from reward_gateway.state.epoch import LOST

from .effects_runtime import EffectsRuntime


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a recipe cannot answer.

    Attributes:
        not_set_up: nothing is broken: it needs a judge, a sandbox or a model that nobody has set up here.
    """

    reason: str
    not_set_up: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """What prevents recipes from answering.

    Attributes:
        default: the recipe for requests that name none.
        lacks: by the recipe's name; recipes that can answer are left out.
    """

    default: str
    lacks: dict[str, Lack] = field(default_factory=dict)

    @property
    def missing(self) -> dict[str, str]:
        """Reason by the recipe's name."""
        return {name: lack.reason for name, lack in self.lacks.items()}

    @property
    def failing(self) -> dict[str, str]:
        """Those of them that lack what was set up, and does not answer now."""
        return {name: lack.reason for name, lack in self.lacks.items() if not lack.not_set_up}

    @property
    def ready(self) -> bool:
        """The default recipe can answer."""
        return self.default not in self.lacks


async def find_lacks(plans: Iterable[Plan], runtime: EffectsRuntime) -> dict[str, Lack]:
    """Why recipes cannot answer, by recipe: the store of state, or the first missing model, judge or sandbox.

    What is broken comes before what is not set up. Default models, judges and stored sets of operations do not count,
    as items may contain the numbers themselves; nor does what an audit asks, which fails no sample.
    """
    models = _ServedModels(runtime)
    lacks: dict[str, Lack] = {}
    for plan in plans:
        found = [lack async for lack in _find_plan_lacks(plan, models, runtime)]
        if found:
            lacks[plan.name] = min(found, key=lambda lack: lack.not_set_up)
    return lacks


async def _find_plan_lacks(plan: Plan, models: "_ServedModels", runtime: EffectsRuntime) -> AsyncIterator[Lack]:
    state_fault = runtime.state_fault
    if state_fault and plan.reads_state and (state_fault != LOST or plan.on_reset == "refuse"):
        yield Lack(state_fault)
    named = plan.needed_names
    asked = [part.model for part in plan.needed_parts if part.model is not None]
    for model in dict.fromkeys([*asked, *(n.name for n in named if n.mark.kind == "model")]):
        fallbacks = model in asked and plan.group.cohort is None
        if fault := await models.explain_fault(model, fallbacks=fallbacks):
            yield Lack(fault, not_set_up=model in plan.awaits and models.is_unknown(model))
    if fault := _explain_configuration(named, runtime):
        yield Lack(fault, not_set_up=True)


async def refuse_unready(plan: Plan, runtime: EffectsRuntime) -> None:
    """Refuse a request whose recipe lacks something, before any of its samples is scored.

    A recipe that asks a judge about some answers alone would else give the others a reward and fail these. What one
    case of several needs fails the samples of that case, and a server that is away those that it would have scored.

    Raises:
        NotSetUp: it names a judge or a sandbox that is not configured.
        ModelUnavailable: it has conditions, and a model that it names is not served.
    """
    models, named = plan.unrouted_needs
    if named and (fault := _explain_configuration(named, runtime)):
        raise NotSetUp(f"the recipe {plan.name} cannot answer: {fault}")
    if not plan.stages:
        return  # each model is asked about every sample
    for model in dict.fromkeys([*models, *(n.name for n in named if n.mark.kind == "model")]):
        try:
            await runtime.models.info(model)
        except NotFound as error:
            raise ModelUnavailable(f"the recipe {plan.name} cannot answer: {error.message}") from None
        except Unavailable:
            continue


def _explain_configuration(named: Iterable[Named], runtime: EffectsRuntime) -> str:
    """The first judge or sandbox that is not configured; empty if all are."""
    judges = runtime.judges.names if runtime.judges is not None else ()
    for kind, name in ((one.mark.kind, one.name) for one in named):
        if kind == "judge" and name not in judges:
            return f"there is no judge {name!r}; REWARD_GATEWAY_JUDGES_FILE names them"
        if kind == "sandbox" and not runtime.remote_sandboxes.has(name):
            return f"there is no sandbox {name!r}; REWARD_GATEWAY_SANDBOXES_FILE names them"
    return ""


class _ServedModels:
    """What is wrong with models; each is looked up once."""

    def __init__(self, runtime: EffectsRuntime) -> None:
        self._runtime = runtime
        self._found: dict[str, tuple[str, str]] = {}
        """Why a model cannot answer, and its fallback."""
        self._unknown: set[str] = set()

    async def explain_fault(self, model: str, *, fallbacks: bool) -> str:
        """Why a model, and any fallback that may score in its place, cannot answer; empty if one can."""
        if model not in self._found:
            self._found[model] = await self._look_up(model)
        fault, fallback = self._found[model]
        if fault and fallbacks and fallback and not await self.explain_fault(fallback, fallbacks=True):
            return ""
        return fault

    def is_unknown(self, model: str) -> bool:
        """Whether no server has, or had, a model of this name."""
        return model in self._unknown and model not in self._runtime.seen_models

    async def _look_up(self, model: str) -> tuple[str, str]:
        try:
            info = await self._runtime.models.info(model)
        except GatewayError as error:
            if isinstance(error, NotFound):
                self._unknown.add(model)
            return error.message, ""
        if info.ready:
            self._runtime.seen_models.add(model)
        fault = info.fault or f"The model '{model}' is not ready on the model server."
        return "" if info.ready or info.idle else fault, info.fallback
