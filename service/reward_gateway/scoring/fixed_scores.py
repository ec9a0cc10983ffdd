"""Scores that a request would get again: nothing but the recipe, its models and the cache of their scores made them."""

from typing import NamedTuple, Self

from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import FloatArray, Scored


class FixedScores(NamedTuple):
    """A scored batch that stays as it is as long as the recipe and the versions of its models do.

    Attributes:
        plan: the recipe.
        scored: the batch; all its numbers of models came from the cache.
        lengths: characters of its responses [n], as the observer is told them.
        versions: model and version of all numbers of models.
    """

    plan: Plan
    scored: Scored
    lengths: FloatArray
    versions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, plan: Plan, scored: Scored, lengths: FloatArray) -> Self:
        """The scores with the versions of their models."""
        parts = scored.components.values()
        versions = {part.model: part.model_version or "" for part in parts if part.model is not None}
        return cls(plan, scored, lengths, tuple(versions.items()))
