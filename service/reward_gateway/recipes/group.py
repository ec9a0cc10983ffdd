"""The group stage: rewards compared with those of the same prompt."""

from collections.abc import Mapping, Sequence

from reward_gateway.operations import groups as group_laws
from reward_gateway.sample import FloatArray

from .schema import GroupSpec


def normalize(
    spec: GroupSpec, groups: Sequence[str], reward: FloatArray, components: Mapping[str, FloatArray]
) -> FloatArray:
    """Rewards [n] normalised within their groups (names [n]), as the recipe asks."""
    match spec.normalize:
        case "mean":
            return group_laws.centre(reward, groups)
        case "zscore":
            return group_laws.zscore(reward, groups, epsilon=spec.epsilon)
        case "rloo":
            return group_laws.rloo(reward, groups)
        case "rank":
            return group_laws.rank(reward, groups)
        case "gdpo":
            weights = {name: spec.weights.get(name, 1.0) for name in components}
            return group_laws.gdpo(components, groups, weights=weights, epsilon=spec.epsilon)
        case _:
            return reward
