"""What becomes of samples that could not be scored: null, a default number, or the failure of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from reward_gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    StateUnavailable,
    Unscorable,
)
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Invalid, Scored

AWAY = frozenset({"overloaded", "model_unavailable", "state_unavailable", "worker_lost", "deadline_exceeded"})
"""Codes that fail the request if every sample has one of them; a judge's bad answer fails only its sample."""

CONSEQUENCES = frozenset({"group_of_one"})
"""Codes of samples that failed because others did: where others failed, their reasons decide."""

OnInvalid = Literal["null", "fail", "default"]


@dataclass(slots=True)
class FailurePolicy:
    """The ``on_invalid`` of one request.

    Attributes:
        default: the reward of failed samples under ``default``.
    """

    on_invalid: OnInvalid
    default: float | None

    @classmethod
    def of(cls, plan: Plan, on_invalid: OnInvalid | None, default: float | None) -> Self:
        """The policy of a request, else that of its recipe."""
        return cls(plan.on_invalid, plan.default_reward) if on_invalid is None else cls(on_invalid, default)

    def refuse_failed(self, size: int, invalid: Mapping[int, Invalid]) -> None:
        """Raise GatewayError if the failed samples of a batch of ``size`` fail the request.

        They do under ``fail``, and if no sample was scored, each for a cause of the server.
        """
        if not invalid:
            return
        causes = {reason.code for reason in invalid.values()} - CONSEQUENCES
        failed_by_server = len(invalid) == size and bool(causes) and causes <= AWAY
        if failed_by_server or self.on_invalid == "fail":
            raise make_failure(invalid)

    def settle_failures(self, scored: Scored) -> None:
        """Give failed samples the default reward, where that is the policy. Raises as :meth:`refuse_failed`."""
        if not scored.invalid:
            return
        self.refuse_failed(len(scored.reward), scored.invalid)
        if self.on_invalid == "default":
            if self.default is None:
                raise InvalidRequest("on_invalid: default needs default_reward", param="options.default_reward")
            for i in scored.invalid:
                scored.reward[i] = self.default


def make_failure(invalid: Mapping[int, Invalid]) -> GatewayError:
    """The error of a request whose first unscorable sample fails it: a cause before its consequences."""
    i = min(invalid, key=lambda row: (invalid[row].code in CONSEQUENCES, row))
    reason = invalid[i]
    param = f"samples[{i}]" + (f".{reason.param}" if reason.param else "")
    component = f" ({reason.component})" if reason.component else ""
    message = f"{param}{component}: {reason.message.removeprefix(f'{reason.param}: ')}"
    waits = [other.retry_after_s for other in invalid.values() if other.retry_after_s is not None]
    return make_error(reason, message, param, max(waits, default=None))


def make_error(
    reason: Invalid, message: str = "", param: str | None = None, retry_after_s: float | None = None
) -> GatewayError:
    """The error of a request that cannot be answered without a sample that has no score.

    Args:
        message: empty: the reason's, whose ``retry_after_s`` then holds too.
    """
    if not message:
        message, retry_after_s = reason.message, reason.retry_after_s
    match reason.code:
        case "deadline_exceeded" | "timeout":
            return DeadlineExceeded(message, param=param)
        case "overloaded":
            return Overloaded(message, param=param, retry_after_s=retry_after_s)
        case "state_unavailable":
            return StateUnavailable(message, param=param)
        case _ if reason.server_caused:
            return ModelUnavailable(message, param=param, retry_after_s=retry_after_s)
        case _:
            return Unscorable(message, param=param)
