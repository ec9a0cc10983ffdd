"""The model repository: its cards, its versions, its heads, and where its models run.

This is the part of the package that a running service uses, so it depends on numpy and PyYAML only; models are built
by :mod:`reward_models.build`.
"""

from reward_models.repository.card import REPOSITORY, RepositoryError, list_models

__all__ = ["REPOSITORY", "RepositoryError", "list_models"]
