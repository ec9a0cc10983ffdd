"""eval-protocol: a reward function in its remote mode."""

from eval_protocol.reward_function import RewardFunction
from remote_reward_function import score_remotely
from run import Call

PACKAGE = "eval-protocol"


def score(call: Call) -> list[float | None]:
    return score_remotely(RewardFunction, call)
