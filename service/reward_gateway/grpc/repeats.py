"""Messages that come again: what their answers are kept by."""

from collections.abc import Hashable

from reward_gateway.intake.kept_answers import LARGEST
from reward_gateway.scoring.request_scope import RequestScope


def repeat_key(method: str, raw: bytes, scope: RequestScope) -> Hashable | None:
    """Everything of a call that its answer depends on; None if it is not answered as an equal one before it.

    A call with an idempotency key has a record of its own.
    """
    if len(raw) > LARGEST or scope.idempotency_key is not None:
        return None
    return method, scope.caller, scope.run, raw
