"""How a request wants to be answered: one check of its options, whichever entry they came over."""

from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import ScoreOptions
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings
from reward_gateway.traffic.deadlines import deadline_at, seconds_of_milliseconds

from .request import Options

_DEFAULTS = Options()


def resolve_options(
    options: Options | None, scope: RequestScope, settings: Settings, arrived_at: float, *seconds: float | None
) -> ScoreOptions:
    """The gateway's options; what is missing has its default.

    Args:
        scope: on whose behalf the request is answered.
        arrived_at: when the request arrived, on the running loop's clock.
        seconds: deadlines from elsewhere than the options (a header, the transport), counted from ``arrived_at``.

    Raises:
        InvalidRequest: a deadline that is no positive number, or ``on_invalid: default`` without ``default_reward``.
    """
    options = options or _DEFAULTS
    if options.on_invalid == "default" and options.default_reward is None:
        raise InvalidRequest("on_invalid: default needs default_reward", param="options.default_reward")
    deadline = deadline_at(arrived_at, settings, read_deadline(options), *seconds)
    explain = options.explain is not False
    return ScoreOptions(options.on_invalid, options.default_reward, options.cache or "use", explain, deadline, scope)


def read_deadline(options: Options) -> float | None:
    """The deadline that the options name, in seconds. Raises InvalidRequest unless it is a positive number."""
    return None if options.deadline_ms is None else seconds_of_milliseconds(options.deadline_ms, "options.deadline_ms")
