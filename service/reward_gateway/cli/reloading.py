"""Reads recipes, upstreams and keys again: when their files change, and on SIGHUP. What cannot be used is refused, and
what was read before stays.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog
import watchfiles

from reward_gateway.backends.model_servers import ModelServers
from reward_gateway.backends.upstreams.file import UpstreamsFileError, load_upstreams_file
from reward_gateway.cli.fallback_checks import check_fallbacks
from reward_gateway.errors import GatewayError, InvalidRecipe
from reward_gateway.gateway import STATE_RESET, Gateway
from reward_gateway.intake.chat_text import TEXT_FLAGS
from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.verdicts import VERDICTS
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.implicit_recipes import COMPONENT, list_implicit_recipes
from reward_gateway.sample.flags import FLAGS
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.tasks import repeat
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.keys import KeyRing, KeysFileError

log = structlog.get_logger(__name__)

TRITON_CHECK_S = 5.0
"""Seconds between two questions to Triton servers what they serve."""

WATCH_AGAIN_S = 5.0
"""Time after which a recipe file whose folder cannot be watched (it was replaced, say) is watched again."""


def register_labels(telemetry: Telemetry, gateway: Gateway) -> None:
    """Register the names that may be used as label values of metrics."""
    metrics = telemetry.metrics
    metrics.recipes_loaded({plan.name: plan.version for plan in gateway.book})
    models = gateway.runtime.known_models() or {}
    metrics.rewards.register([*gateway.book.plans, *list_implicit_recipes(models)])
    metrics.components.register(component.name for plan in gateway.book for component in plan.components)
    metrics.components.register([COMPONENT, *(label for model in models.values() for label in model.dimensions)])
    metrics.models.register(models)
    metrics.experiments.register(gateway.book.experiments)
    metrics.models.register(experiment.candidate for experiment in gateway.book.experiments.values())
    metrics.models.register(model for plan in gateway.book for model in plan.models)
    metrics.models.register(gateway.runtime.judges.names if gateway.runtime.judges is not None else ())
    if isinstance(servers := gateway.runtime.models, ModelServers):
        for name in servers.list_pools():  # known with 0, so that the first rows refused count as an increase
            metrics.rows_refused(name, 0, "no_replicas")
    metrics.verdicts.register(VERDICTS)
    metrics.flags.register((*GUARDS, *FLAGS, STATE_RESET, *TEXT_FLAGS))


def read_book(settings: Settings, runtime: EffectsRuntime) -> RecipeBook:
    """The recipes of the file, with the weights of their canaries. Raises InvalidRecipe or OSError."""
    book = load_book(settings.rewards_file.read_bytes(), runtime.known_models(), judges=runtime.judge_fallbacks)
    book = book.with_weights(settings.canary_weights)
    for warning in book.warnings:
        log.warning("rewards_warning", **warning)
    return book


async def reload(gateway: Gateway, settings: Settings, telemetry: Telemetry) -> None:
    """Replace all recipes, or keep the old ones if the new file is invalid."""
    try:
        with contextlib.suppress(GatewayError):
            await gateway.runtime.refresh_models()
        gateway.book = read_book(settings, gateway.runtime)
        register_labels(telemetry, gateway)
        log.info("rewards_reloaded", rewards=len(gateway.book.plans))
    except InvalidRecipe as error:
        log.error("rewards_kept", reason=error.message, faults=error.faults)
    except OSError as error:
        log.error("rewards_kept", reason=str(error))
    except Exception as error:  # whatever a file can do to its reader, the next change is read again
        log.error("rewards_kept", reason="the recipe file cannot be read", exc_info=error)


def reload_keys(keys: KeyRing, path: Path | None) -> None:
    """Replace all API keys, or keep the old ones if the file cannot be used."""
    if path is None:
        return
    try:
        keys.replace(KeyRing.load(path))
        log.info("keys_reloaded")
    except KeysFileError as error:
        log.error("keys_kept", reason=str(error))


async def reload_upstreams(gateway: Gateway, path: Path | None, telemetry: Telemetry) -> None:
    """Replace all upstreams, or keep the old ones if the file cannot be used."""
    models = gateway.runtime.models
    if path is None or not isinstance(models, ModelServers):
        return
    try:
        file = load_upstreams_file(path)
        check_fallbacks(gateway.runtime.known_models(), file.upstreams, models.upstreams)
        await models.upstreams.replace(file.upstreams)
        models.tritons.declared = file.triton_models
        log.info("upstreams_reloaded", upstreams=len(file.upstreams), triton_models=len(file.triton_models))
    except UpstreamsFileError as error:
        log.error("upstreams_kept", reason=str(error), faults=error.faults)
        return
    except Exception as error:  # whatever a file can do to its reader, the next change is read again
        log.error("upstreams_kept", reason="the upstreams file cannot be used", exc_info=error)
        return
    with contextlib.suppress(GatewayError):
        await gateway.runtime.refresh_models()
    register_labels(telemetry, gateway)


async def reload_models(gateway: Gateway, settings: Settings, telemetry: Telemetry) -> None:
    """Read the upstreams again, and the recipes that name them."""
    await reload_upstreams(gateway, settings.upstreams_file, telemetry)
    await reload(gateway, settings, telemetry)


async def watch_file(path: Path, name: str, read_again: Callable[[], Awaitable[None]]) -> None:
    """Read a file again when it changes, or a file beside it that its kind names (a template, a key).

    The files of a mounted ConfigMap are links through ``..data``, which is replaced on every change.
    """
    beside = () if name == "rewards" else (".jinja", ".json", ".key")

    def is_read(_: object, changed: str) -> bool:
        return Path(changed).name in (path.name, "..data") or Path(changed).suffix in beside

    async def watch_once() -> None:
        async for _ in watchfiles.awatch(path.parent, recursive=False, watch_filter=is_read):
            await read_again()

    await repeat(watch_once, WATCH_AGAIN_S, f"{name}-watch")


async def watch(gateway: Gateway, settings: Settings, telemetry: Telemetry) -> None:
    """Reload recipes and upstreams when their files change, and see whether Triton servers answer."""
    recipes = partial(reload, gateway, settings, telemetry)
    watches = [watch_file(settings.rewards_file, "rewards", recipes)]
    if settings.upstreams_file is not None:
        upstreams = partial(reload_models, gateway, settings, telemetry)
        watches.append(watch_file(settings.upstreams_file, "upstreams", upstreams))
    models = gateway.runtime.models
    if isinstance(models, ModelServers):
        watches.append(repeat(models.tritons.check, TRITON_CHECK_S, "triton-watch"))
    await asyncio.gather(*watches)
