"""On whose behalf a request is answered, and whether it is a repeat of an earlier one."""

from dataclasses import dataclass

ANONYMOUS = "anonymous"
"""The caller of a gateway without API keys."""


@dataclass(frozen=True, slots=True)
class RequestScope:
    """Whose state a request reads and writes.

    Attributes:
        caller: name of the API key.
        run: the training run.
        idempotency_key: 1 to 256 printable ASCII characters that make a repeat the same request; None: every
            request is a new one.
    """

    caller: str = ANONYMOUS
    run: str = ""
    idempotency_key: str | None = None


NO_SCOPE = RequestScope()
"""Of a request that names nobody."""
