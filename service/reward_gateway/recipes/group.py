"""The group stage: rewards normalised within the samples of the same prompt."""

from collections.abc import Mapping, Sequence

from reward_gateway.operations.groups import Groups, centre, gdpo, rank, rloo, zscore
from reward_gateway.sample import FloatArray

from .schema import GroupSpec


def normalize_rewards(
    spec: GroupSpec, names: Sequence[str], reward: FloatArray, components: Mapping[str, FloatArray]
) -> FloatArray:
    """Rewards [n] normalised within their groups (names [n]), as the recipe says."""
    groups = Groups.of(names)
    match spec.normalize:
        case "mean":
            return centre(reward, groups)
        case "zscore":
            return zscore(reward, groups, eps=spec.epsilon)
        case "rloo":
            return rloo(reward, groups)
        case "rank":
            return rank(reward, groups)
        case "gdpo":
            return gdpo(components, spec.weights, groups, eps=spec.epsilon)
        case _:
            return reward
