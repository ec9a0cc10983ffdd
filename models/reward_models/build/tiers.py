"""Tiers: models that are built and served by default, and extra models that are built on request.

A card without ``tier`` is of the default tier. ``tier: extra`` is for models that are large or slow to build; once
built, they are served like any other.
"""

from pathlib import Path

from reward_models.build.builder import is_built
from reward_models.repository import REPOSITORY, list_models
from reward_models.repository import card as cards

EXTRA = "extra"


def is_extra(name: str, repository: Path = REPOSITORY) -> bool:
    """True for a model of the extra tier. False for an unreadable card; building or checking it reports the error."""
    try:
        return bool(cards.read_card(repository / name).content.get("tier") == EXTRA)
    except cards.RepositoryError:
        return False


def list_default(repository: Path = REPOSITORY) -> list[str]:
    """The models of the default tier."""
    return [name for name in list_models(repository) if not is_extra(name, repository)]


def list_unbuilt_extra(repository: Path = REPOSITORY) -> list[str]:
    """The models of the extra tier that are not built."""
    return [name for name in list_models(repository) if is_extra(name, repository) and not is_built(name, repository)]


def describe_unbuilt(names: list[str]) -> str:
    """A sentence that names unbuilt models and how to build them."""
    models, are = ("1 model", "is") if len(names) == 1 else (f"{len(names)} models", "are")
    return (
        f"{models} of the extra tier {are} not built: {', '.join(names)}; "
        "`make models-all` or `reward-gateway models build --all` builds them"
    )
