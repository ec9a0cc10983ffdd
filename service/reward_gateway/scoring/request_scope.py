"""The caller and run of a request, and the idempotency key that makes a repeat the same request."""

import hashlib
import json
from dataclasses import dataclass

from reward_gateway.state.namespace import Namespace

ANONYMOUS = "anonymous"
"""The caller of a gateway without API keys."""


@dataclass(frozen=True, slots=True)
class RequestScope:
    """The owner of the state that a request reads and writes.

    Attributes:
        caller: the tenant of the API key.
        run: the training run; empty if the request names none.
        idempotency_key: 1 to 256 printable ASCII characters that make a repeat the same request; None: every
            request is a new one.
        step: the trainer's step, by which the history of the run tells what was scored; None: not known.
        keeps_samples: whether its samples may be kept, where the operator keeps any.
    """

    caller: str = ANONYMOUS
    run: str = ""
    idempotency_key: str | None = None
    step: int | None = None
    keeps_samples: bool = True

    @property
    def space(self) -> Namespace:
        """The namespace of the state."""
        return Namespace(self.caller, self.run)

    @property
    def cache_owner(self) -> str:
        """The tenant whose cached scores the request uses; empty without API keys."""
        return "" if self.caller == ANONYMOUS else self.caller

    def name_member(self, cohort: str, row: int) -> str | None:
        """The name with which a sample of the request joins a cohort only once; None: each join is a new member."""
        if self.idempotency_key is None:
            return None
        return self._hash_parts("cohort", cohort, str(row))

    def make_attempt_address(self, *work: str) -> str | None:
        """The address of a recipe or operation under the request's key; None: the request has no key.

        It begins with the caller, beside whose state the attempt is stored.
        """
        if self.idempotency_key is None:
            return None
        return f"{self.caller}/{self._hash_parts('attempt', *work)}"

    def _hash_parts(self, *parts: str) -> str:
        text = json.dumps([self.caller, self.run, self.idempotency_key, *parts])
        return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


NO_SCOPE = RequestScope()
"""Scope of a request without caller, run and key."""
