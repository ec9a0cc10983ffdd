"""Tunix: its sequence-level reward manager over the functions of our module."""

import inspect
from dataclasses import dataclass

from reward_gateway.client.adapters import tunix
from run import Call, import_alone

SequenceRewardManager = import_alone("tunix.rl.reward_manager").SequenceRewardManager

PACKAGE = "google-tunix"


@dataclass
class Algorithm:
    """Parameters of an algorithm, of which a reward function may ask for some."""

    beta: float = 0.0


def score(call: Call) -> list[float | None]:
    functions = [
        member
        for name, member in inspect.getmembers(tunix, inspect.isfunction)
        if not name.startswith("_") and member.__module__ == tunix.__name__
    ]
    manager = SequenceRewardManager(functions, Algorithm())
    answer = manager(call.column("prompt"), call.column("response"), answer=call.column("reference"))
    return [float(reward) for reward in answer["rewards"]]
