"""Why samples have no score where what they need is away."""

from reward_gateway.errors import Overloaded, StateUnavailable, Unavailable
from reward_gateway.sample import Invalid


def explain_unavailable(error: Unavailable) -> Invalid:
    """The reason of samples whose effect failed."""
    match error:
        case StateUnavailable():
            return Invalid("state_unavailable", error.message)
        case Overloaded():
            return Invalid("overloaded", error.message)
        case _:
            return Invalid("model_unavailable", error.message)
