"""Names that the shell completes: recipes and models of the running service that is named, else of the settings' files.

A completion is asked for while somebody types: whatever goes wrong, there are no names, and nothing is printed.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

ANSWER_S = 1.0
"""Seconds that a running service has to tell its names."""

Complete = Callable[[typer.Context, str], list[str]]


def _completion(find: Callable[[Mapping[str, Any]], Iterable[str]]) -> Complete:
    """The names that ``find`` gives for the arguments typed so far, of those that begin as the word does."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        with contextlib.suppress(Exception, SystemExit):
            return sorted({name for name in find(ctx.params) if name.startswith(incomplete)})
        return []

    return complete


def _find_rewards(typed: Mapping[str, Any]) -> Iterable[str]:
    import yaml

    from .configuration import read_settings

    named = typed.get("recipes") or (typed.get("file") if "any_model" in typed else None)
    if named is None and typed.get("url"):
        return _ask_names(typed, "rewards")
    text = Path(named or read_settings().rewards_file).read_text(encoding="utf-8")
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast as the reader that finds faults
    content = yaml.load(text, fast)  # noqa: S506 - both are safe
    return [*content["rewards"], *(content.get("model_aliases") or {})]


def _find_models(typed: Mapping[str, Any]) -> Iterable[str]:
    if typed.get("url"):
        return _ask_names(typed, "models")
    from .repository import folder

    return [config.parent.name for config in folder(typed.get("repository")).glob("*/config.pbtxt")]


def _find_judges(typed: Mapping[str, Any]) -> Iterable[str]:
    from reward_gateway.backends.judges.config import load_judges

    from .configuration import read_settings

    return [judge.name for judge in load_judges(typed.get("judges_file") or read_settings().judges_file)]


def _find_kinds(_: Mapping[str, Any]) -> Iterable[str]:
    from .catalog import KINDS

    return KINDS


def _ask_names(typed: Mapping[str, Any], listing: str) -> Iterable[str]:
    from reward_gateway.client import RewardClient

    with RewardClient(typed["url"], api_key=typed.get("api_key"), timeout_s=ANSWER_S) as client:
        return [row["name"] for row in (client.rewards() if listing == "rewards" else client.models())]


complete_reward = _completion(_find_rewards)
complete_model = _completion(_find_models)
complete_judge = _completion(_find_judges)
complete_kind = _completion(_find_kinds)
