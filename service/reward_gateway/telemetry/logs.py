"""Logs: one line per event, as text or JSON, with the request's id and never a payload.

An exception is logged by its class and location. Its message is left out, because libraries' messages quote
the offending value, which may be a prompt.
"""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import stamina
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from reward_gateway.settings import Settings

_VERBOSE_LIBRARIES = ("httpcore", "httpx", "PIL")
"""Libraries whose log lines below warnings contain addresses and parts of files."""


def configure_logging(settings: Settings) -> None:
    """Send records of structlog and of the standard library (uvicorn, grpc) through one chain to stderr.

    Values that a request binds with ``structlog.contextvars`` (its id) appear on each of its lines, also a library's.
    """
    level = logging.getLevelName(settings.log_level.upper())
    if not isinstance(level, int):
        raise ValueError(f"log_level must be debug, info, warning or error, not {settings.log_level!r}")
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.contextvars.merge_contextvars,
        name_exception,
    ]
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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


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
