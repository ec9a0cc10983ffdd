"""The model repository and the models that a command works on."""

from pathlib import Path
from typing import Annotated

import typer

from reward_gateway.recipes.suggestions import did_you_mean

from .output import Unusable

Repository = Annotated[
    Path | None, typer.Option("--repository", help="Triton's model repository.", show_default="the settings' one")
]


def folder(named: Path | None) -> Path:
    """The given folder, or that of the settings. Raises Unusable if it does not exist."""
    if named is None:
        from .configuration import read_settings

        named = read_settings().model_repository
    if not named.is_dir():
        raise Unusable(f"there is no folder {named}; name the model repository with --repository")
    return named.resolve()


def wanted(names: list[str] | None, repository: Path) -> list[str]:
    """The given models, or all of the repository. Raises Unusable for an unknown name."""
    from reward_models.repository import list_models

    known = list_models(repository)
    if unknown := sorted(set(names or ()) - set(known)):
        raise Unusable(f"there is no model {unknown[0]!r}{did_you_mean(unknown[0], known)}")
    return names or known
