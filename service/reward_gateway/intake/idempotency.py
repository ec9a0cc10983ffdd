"""The key that makes a repeat the same request: one rule for HTTP, gRPC and every dialect."""

import hashlib
import re
from dataclasses import replace

from reward_gateway.errors import InvalidRequest
from reward_gateway.scoring.request_scope import RequestScope

HEADER = "Idempotency-Key"
"""The header's name; gRPC metadata has it in lower case."""

_KEY = re.compile(r"[\x20-\x7e]{1,256}")


def check_idempotency_key(value: str) -> str:
    """The key, unchanged. Raises InvalidRequest unless it is 1 to 256 printable ASCII characters."""
    if not _KEY.fullmatch(value):
        message = f"{HEADER}: send 1 to 256 printable ASCII characters, for example a UUID, or leave it out"
        raise InvalidRequest(message, param=HEADER)
    return value


def part_of(scope: RequestScope, part: str) -> RequestScope:
    """The scope of one part of a request that is scored in several: a stream's sample, a grader's second question.

    A part is a request of its own under a key made of the request's key and ``part``, so that a repeat of the whole
    repeats every part. Without a key nothing changes.
    """
    if scope.idempotency_key is None:
        return scope
    whole = f"{len(scope.idempotency_key)}:{scope.idempotency_key}:{part}"
    return replace(scope, idempotency_key=hashlib.sha256(whole.encode()).hexdigest())
