"""The model repository: its cards, its versions, its heads, and where its models run.

It is all that a running service reads and changes, so it needs numpy and PyYAML and nothing else; what builds a model
is in :mod:`reward_models.build`.
"""

from reward_models.repository.card import REPOSITORY, RepositoryError, list_models

__all__ = ["REPOSITORY", "RepositoryError", "list_models"]
