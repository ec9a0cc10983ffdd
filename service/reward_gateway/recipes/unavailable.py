"""Why samples have no score where what they need is away."""

from reward_gateway.errors import JudgeNotFound, ModelNotFound, Overloaded, StateUnavailable, Unavailable
from reward_gateway.sample import Invalid


def explain_unavailable(error: Unavailable | ModelNotFound | JudgeNotFound) -> Invalid:
    """The reason of samples whose effect failed. A model of a recipe that nobody serves is one that it awaits."""
    match error:
        case StateUnavailable():
            return Invalid("state_unavailable", error.message)
        case Overloaded():
            return Invalid("overloaded", error.message)
        case JudgeNotFound():
            return Invalid("judge_error", error.message)
        case _:
            return Invalid("model_unavailable", error.message)
