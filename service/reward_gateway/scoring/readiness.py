"""Which recipes can answer now, and why the others cannot."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from reward_gateway.errors import GatewayError, ModelUnavailable, NotFound, NotSetUp, Unavailable
from reward_gateway.operations.names import Named
from reward_gateway.recipes.plan import Plan
from reward_gateway.state.epoch import LOST

from .effects_runtime import EffectsRuntime


@dataclass(frozen=True, slots=True)
class Readiness:
    """What prevents recipes from answering.

    Attributes:
        default: the recipe for requests that name none.
        missing: reason by recipe name; recipes that can answer are left out.
    """

    default: str
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """The default recipe can answer."""
        return self.default not in self.missing


async def find_missing(plans: Iterable[Plan], runtime: EffectsRuntime) -> dict[str, str]:
    """Reasons why recipes cannot answer, by recipe: the store of state, or the first missing model, judge or sandbox.

    Default models, judges and stored sets of operations do not count, as items may contain the numbers themselves; nor
    does what an audit asks, which fails no sample.
    """
    models = _ServedModels(runtime)
    missing: dict[str, str] = {}
    state_fault = runtime.state_fault
    for plan in plans:
        if state_fault and plan.reads_state and (state_fault != LOST or plan.on_reset == "refuse"):
            missing[plan.name] = state_fault
        named = plan.needed_names
        asked = [part.model for part in plan.needed_parts if part.model is not None]
        for model in dict.fromkeys([*asked, *(n.name for n in named if n.mark.kind == "model")]):
            fallbacks = model in asked and plan.group.cohort is None
            if fault := await models.explain_fault(model, fallbacks=fallbacks):
                missing.setdefault(plan.name, fault)
        if fault := _explain_configuration(named, runtime):
            missing.setdefault(plan.name, fault)
    return missing


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

    async def explain_fault(self, model: str, *, fallbacks: bool) -> str:
        """Why a model, and any fallback that may score in its place, cannot answer; empty if one can."""
        if model not in self._found:
            self._found[model] = await self._look_up(model)
        fault, fallback = self._found[model]
        if fault and fallbacks and fallback and not await self.explain_fault(fallback, fallbacks=True):
            return ""
        return fault

    async def _look_up(self, model: str) -> tuple[str, str]:
        try:
            info = await self._runtime.models.info(model)
        except GatewayError as error:
            return error.message, ""
        fault = info.fault or f"The model '{model}' is not ready on the model server."
        return "" if info.ready else fault, info.fallback
