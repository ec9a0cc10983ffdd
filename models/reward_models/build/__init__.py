"""Building the model repository from pinned packages: ``build``, ``is_built``, ``check``, ``available``."""

from reward_models.build.builder import REPOSITORY, available, build, check, is_built, stamp
from reward_models.build.card import BuildError

__all__ = ["REPOSITORY", "BuildError", "available", "build", "check", "is_built", "stamp"]
