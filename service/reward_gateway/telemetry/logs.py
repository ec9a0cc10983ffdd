"""Logs: one line an event, for people or as JSON, with the request's id and never a payload.

An exception is logged as its class and where it arose. Its message is left out: messages of libraries
quote the value that they stumbled over, and that value may be somebody's prompt.
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

_TALKATIVE = ("httpcore", "httpx", "PIL")
"""Libraries whose lines below a warning quote addresses and pieces of files."""


def configure_logging(settings: Settings) -> None:
    """Send structlog's and the standard library's records (uvicorn's, grpc's) through one chain to stderr.

    What a request binds with ``structlog.contextvars`` (its id) stands on each of its lines, a library's too.
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
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # whatever set them up before: one way to the log
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # Retries are logged, not counted: the library's own counter would stand among our metrics.
    stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.StructlogOnRetryHook])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def name_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by what may be said of it."""
    info: Any = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event.update(describe_exception(error))
    return event


def describe_exception(error: BaseException) -> dict[str, str]:
    """An exception's class and the places that it passed, innermost last: what a log line may say of it."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    at = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return {"error": type(error).__name__, "at": at}
