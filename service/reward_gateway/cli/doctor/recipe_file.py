"""The recipe file with what its recipes may name, read as at the start."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reward_gateway.backends.declared_servers import ServersFileError
from reward_gateway.backends.judges.config import load_judges
from reward_gateway.backends.remote_sandboxes.config import load_sandboxes
from reward_gateway.backends.triton.repository import models_of_repository
from reward_gateway.backends.upstreams.file import UpstreamsFileError
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.known_models import KnownModels, known_models
from reward_gateway.settings import Settings

from ..output import Unusable
from ..rewards import judge_fallbacks, read_recipes, upstream_models


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """What was read.

    Attributes:
        book: the recipes; None if the file has faults.
        faults: those of the file, as ``load_book`` lists them; none if it cannot be read at all.
        judges, sandboxes, upstreams: names in their files; none if those cannot be used.
    """

    book: RecipeBook | None
    faults: Sequence[dict[str, str]] = ()
    judges: frozenset[str] = field(default_factory=frozenset)
    sandboxes: frozenset[str] = field(default_factory=frozenset)
    upstreams: frozenset[str] = field(default_factory=frozenset)


def load_recipes(settings: Settings) -> RecipeFile:
    """Read the file that the settings name; what cannot be used of the others is told by the check of settings."""
    judges: list[str] = []
    sandboxes: list[str] = []
    fallbacks: Mapping[str, str] = {}
    upstreams: KnownModels = {}
    with contextlib.suppress(ServersFileError):
        judges = [judge.name for judge in load_judges(settings.judges_file)]
        fallbacks = judge_fallbacks(settings.judges_file)
    with contextlib.suppress(ServersFileError):
        sandboxes = [sandbox.name for sandbox in load_sandboxes(settings.sandboxes_file)]
    with contextlib.suppress(UpstreamsFileError):
        upstreams = upstream_models(settings.upstreams_file)
    models: KnownModels | None = None
    if not settings.triton_url:
        models = {**known_models(models_of_repository(settings.model_repository)), **upstreams}
    found = frozenset(judges), frozenset(sandboxes), frozenset(upstreams)
    try:
        return RecipeFile(load_book(read_recipes(settings.rewards_file), models, judges=fallbacks), (), *found)
    except InvalidRecipe as error:
        return RecipeFile(None, error.faults or [{"place": "", "path": "", "message": error.message}], *found)
    except Unusable:
        return RecipeFile(None, (), *found)
