"""Tiers: what is built and served without being named, and what is only built when it is asked for.

A card without ``tier`` is of the default tier. ``tier: extra`` is for what is large or slow to build; once it is
built, it is served as any other.
"""

from pathlib import Path

from reward_models.build.builder import is_built
from reward_models.repository import REPOSITORY, list_models
from reward_models.repository import card as cards

EXTRA = "extra"


def is_extra(name: str, repository: Path = REPOSITORY) -> bool:
    """True for a model of the extra tier. A card that cannot be read is not: building or checking it says why."""
    try:
        return bool(cards.read_card(repository / name).content.get("tier") == EXTRA)
    except cards.RepositoryError:
        return False


def list_default(repository: Path = REPOSITORY) -> list[str]:
    """The models that are built without being named."""
    return [name for name in list_models(repository) if not is_extra(name, repository)]


def list_unbuilt_extra(repository: Path = REPOSITORY) -> list[str]:
    """The models of the extra tier that are not built."""
    return [name for name in list_models(repository) if is_extra(name, repository) and not is_built(name, repository)]


def describe_unbuilt(names: list[str]) -> str:
    """What is left out and how to get it, in a sentence."""
    models, are = ("1 model", "is") if len(names) == 1 else (f"{len(names)} models", "are")
    return (
        f"{models} of the extra tier {are} not built: {', '.join(names)}; "
        "`make models-all` or `reward-gateway models build --all` builds them"
    )
