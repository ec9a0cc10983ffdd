"""Logs: one line per event, as text or JSON, with the request's id and never a payload.

An exception is logged by its class and location. Its message is left out, because libraries' messages quote
the offending value, which may be a prompt.

An event that may come thousands of times a second (a request that was refused, say) is written with ``once_per``, the
values that tell it from others: the first of a kind is written, then one every few seconds with ``suppressed``, how
many were left out before it.
"""

import logging
import math
import sys
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import stamina
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from reward_gateway.settings import Settings

_VERBOSE_LIBRARIES = ("httpcore", "httpx", "PIL", "uvicorn.websockets")
"""Libraries whose log lines below warnings contain addresses and parts of files."""


REQUEST_ID: ContextVar[str] = ContextVar(f"{structlog.contextvars.STRUCTLOG_KEY_PREFIX}request_id")
"""The id on every line that the running task logs, as ``structlog.contextvars.bind_contextvars`` sets it too."""

REPEATS_EVERY_S = 5.0
"""Least time between two lines of one kind, for events that may come thousands of times a second."""

MOST_KINDS = 1024
"""Kinds of such events that are remembered; they come from closed sets (routes, statuses, models), far fewer."""


def configure_logging(settings: Settings) -> None:
    """Send records of structlog and of the standard library (uvicorn, grpc) through one chain to stderr.

    Values that a request binds with ``structlog.contextvars`` (its id) appear on each of its lines, also a library's.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.contextvars.merge_contextvars,
        name_exception,
    ]
    limiter = RepeatLimiter()
    last: Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # remove handlers set up earlier
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in _VERBOSE_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # Retries are logged only: the library's own counter would be mixed with our metrics.
    stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.StructlogOnRetryHook])
    structlog.configure(
        processors=[limiter, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class RepeatLimiter:
    """Drops an event with ``once_per`` if another of its kind was written within the last few seconds.

    Args:
        every_s: least time between two of a kind.
        clock: seconds, from any start.
    """

    def __init__(self, every_s: float = REPEATS_EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._kinds: dict[Any, tuple[float, int]] = {}

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """Raises DropEvent for an event that is left out."""
        if "once_per" not in event:
            return event
        kind = event["event"], event.pop("once_per")
        now = self._clock()
        written, suppressed = self._kinds.get(kind, (-math.inf, 0))
        if now - written < self._every_s:
            self._kinds[kind] = written, suppressed + 1
            raise structlog.DropEvent
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = now, 0
        if suppressed:
            event["suppressed"] = suppressed
        return event


def name_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by its class and location."""
    info: Any = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event.update(describe_exception(error))
    return event


def describe_exception(error: BaseException) -> dict[str, str]:
    """The class of an exception and its last stack frames, innermost last, for a log line."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    at = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return {"error": type(error).__name__, "at": at}
