"""Liveness and readiness, which are two questions: does the process run, and should it get work."""

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import Draining, ModelUnavailable, StateUnavailable, Unavailable
from reward_gateway.state.epoch import AWAY, LOST

from ..call import call_of
from ..dependencies import dependencies_of, json_response
from ..errors import error_response
from ..oip.errors import ERROR_FORMAT
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.response import Alive, NotReady, Ready

router = raw_router("health")

_REWARD = parameter("reward", "query", "Ask for this recipe alone, in place of the default one.")


@router.get("/livez", **describe("Does the process run?", answer=Alive))
@router.get("/v2/health/live", **describe("Open Inference Protocol's name of /livez", answer=Alive))
async def livez(request: Request) -> Response:
    """Touches nothing: it answers when every model and the cache are gone."""
    return json_response({"status": "ok", "live": True})


@router.get("/readyz", **describe("Should it get work?", parameters=(_REWARD,), answer=Ready, unavailable=NotReady))
@router.get("/health", **describe("Another name of /readyz", parameters=(_REWARD,), answer=Ready, unavailable=NotReady))
@router.get(
    "/v2/health/ready",
    **describe(
        "Open Inference Protocol's name of /readyz",
        parameters=(_REWARD,),
        answer=Ready,
        unavailable=NotReady,
        error_formats=(ERROR_FORMAT,),
    ),
)
async def readyz(request: Request) -> Response:
    """200 while the default recipe (or `?reward=NAME`) can answer and the gateway is not shutting down; else 503.

    Behind `/r/NAME/` every path that ends in `/health` answers for that recipe: 404 if there is none. Behind the prefix
    of a dialect (`/unirl/health`) it is the same as without.

    `not_ready` says why other recipes cannot answer: a model that is not loaded, a judge that is not configured, a
    store of state that is not there. `stores` says whether the cache of scores and the store of state could be reached
    a few seconds ago (`ready` or `away`); `lost` is a store that came back without its state, until an operator accepts
    the loss. Recipes that keep state, or read stored references or sets, are not ready while the store of state is
    `away` or `lost` (`on_reset: restart` answers while it is lost); all others, scores without the cache, and rates go
    on.
    """
    deps = dependencies_of(request)
    if deps.traffic.drain.leaving:
        return _not_ready(request, Draining("this gateway is shutting down"))
    reward = call_of(request.scope).recipe
    if reward is not None:
        await deps.intake.learn_models(reward)
        if lack := await deps.gateway.find_lack(reward):
            return _not_ready(request, _explain(f"the recipe {reward}", lack.reason))
        return json_response({"status": "ok", "ready": True, "reward": reward, "rewards": {reward: [True]}})
    readiness = await deps.gateway.check_readiness()
    stores = deps.stores.describe()
    parts: dict[str, object] = {"reward": readiness.default, "not_ready": readiness.missing, "stores": stores}
    if not readiness.ready:
        error = _explain(f"the default recipe {readiness.default}", readiness.missing[readiness.default])
        return _not_ready(request, error, parts)
    roster = {plan.name: [plan.name not in readiness.missing] for plan in deps.gateway.book}  # UniRL's client reads it
    return json_response({"status": "ok", "ready": True, **parts, "rewards": roster})


def _explain(recipe: str, reason: str) -> Unavailable:
    error = StateUnavailable if reason in (LOST, AWAY) else ModelUnavailable
    return error(f"{recipe} cannot answer: {reason}")


def _not_ready(request: Request, error: Unavailable, parts: dict[str, object] | None = None) -> Response:
    error_format = call_of(request.scope).error_format
    return error_response(error, {"status": "not ready", "ready": False, **(parts or {})}, error_format)
