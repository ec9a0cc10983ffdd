"""Errors: how a request is refused, and why a sample has no score; from the one table of errors, which ``/docs`` shows
too, and the closed set of reasons."""

from reward_gateway.errors import error_table, is_temporary, summarize_error
from reward_gateway.sample.invalid import REASONS, Invalid
from reward_gateway.scoring.failure_policy import AWAY, make_failure

from ..tables import write_code, write_phrase, write_table

_HEAD = """# Errors

Look up a code here: what it means, whether a retry helps, and what to do.

A failure is never a number. A **request** that cannot be answered is refused with a status and a body. A **sample**
that cannot be scored has `valid: false`, `reward: null` and an `error` of its own, while its neighbours are scored.

```json figure
{"error": {"code": "too_large", "message": "…", "type": "invalid_request_error", "param": "samples[3].images[0]"}}
```

`message` says what was wrong and what to do, `param` is the path of the field at fault. Over gRPC the same failure is a
status with the metadata `error-code`, `error-type`, `error-param` and `retry-after`. Other servers' APIs have error
bodies of their own: see [dialects](dialects.md). What a message means in practice is in
[troubleshooting](../troubleshooting.md).

The Python client retries what is marked "yes", after `Retry-After`. Retry other codes only after you have changed what
they name.
"""
_SAMPLES = """## Samples without a score

`error` of a result has `code`, `message`, `component` (of the recipe) and `param` (path below the sample).

With `on_invalid: fail` the first such sample refuses the request, with the status below. Without it, the request is
refused only if no sample was scored and each for a cause of the server: %s.

`deadline_exceeded` of a sample may be retried, since the next attempt finds the scores that are cached by then; the
refusal of a request with that code comes before anything was scored, and needs a longer deadline or fewer samples.

"""


def write_page() -> str:
    """The page: a table of refusals, and one of reasons."""
    refusals = [
        (
            write_code(kind.code),
            f"{kind.status} {write_code(kind.grpc_status)}",
            "yes" if is_temporary(kind) else "no",
            write_phrase(summarize_error(kind)),
            write_phrase(kind.advice),
        )
        for kind in error_table()
    ]
    reasons = [
        (
            write_code(code),
            str(make_failure({0: Invalid(code, "")}).status),
            "yes" if Invalid(code, "").retryable else "no",
            write_phrase(reason.meaning),
            write_phrase(reason.advice),
        )
        for code, reason in REASONS.items()
    ]
    return "\n".join(
        (
            _HEAD,
            "## Requests that are refused\n",
            write_table(("code", "HTTP and gRPC status", "retry", "what it means", "what to do"), refusals),
            _SAMPLES % ", ".join(map(write_code, sorted(AWAY))),
            write_table(("code", "with `fail`", "retry", "what it means", "what to do"), reasons),
        )
    )
