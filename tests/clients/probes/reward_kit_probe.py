"""reward-kit: a reward function in its remote mode."""

from remote_reward_function import score_remotely
from reward_kit.reward_function import RewardFunction
from run import Call

PACKAGE = "reward-kit"


def score(call: Call) -> list[float | None]:
    return score_remotely(RewardFunction, call)
