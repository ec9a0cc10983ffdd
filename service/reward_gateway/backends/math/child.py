"""A process that compares mathematical answers, one JSON line in and out, with a time and a memory limit.

Run as ``python -m reward_gateway.backends.math.child SECONDS``. It is a separate process because an
expression can be built to run forever or to fill the memory (9^9^9^9), and because the library's own time limit works
only in a main thread. If its alarm cannot interrupt the work, the parent kills it.

In:  ``{"reference": text, "response": text}``.
Out: ``{"equal": true | false}``, or ``{"equal": null, "why": "unreadable" | "too_hard"}``.
"""

import json
import logging
import resource
import signal
import sys
from typing import Any

MEMORY = 2 << 30


class OutOfTime(BaseException):
    """The time limit. Not an Exception, because the library catches those."""


def _raise_out_of_time(*_: Any) -> None:
    raise OutOfTime


def delimit_latex(text: str) -> str:
    """A reference as the parser expects it: bare LaTeX in dollar signs."""
    return text if any(mark in text for mark in ("$", "\\(", "\\[", "\\boxed")) else f"${text}$"


def compare_answers(reference: str, response: str) -> dict[str, Any]:
    """Whether the response's answer equals the reference's as mathematics."""
    from math_verify import parse, verify

    # Without the library's time limits: this process has its own alarm.
    parsed_reference = parse(delimit_latex(reference), parsing_timeout=None)
    if not parsed_reference:
        return {"equal": None, "why": "unreadable"}
    parsed_response = parse(response, parsing_timeout=None)
    return {"equal": bool(parsed_response) and bool(verify(parsed_reference, parsed_response, timeout_seconds=None))}


def main(seconds: float) -> None:
    """Answer each line of standard input until it ends."""
    logging.disable(logging.CRITICAL)
    compare_answers("1", "1")  # import the library now, not at the first comparison
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _raise_out_of_time)
    for line in sys.stdin:
        pair = json.loads(line)
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = compare_answers(pair["reference"], pair["response"])
        except (OutOfTime, MemoryError, RecursionError):
            answer = {"equal": None, "why": "too_hard"}
        except Exception:
            answer = {"equal": False}  # the library could not parse or compare it
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
