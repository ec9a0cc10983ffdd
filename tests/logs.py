"""Capturing what is logged, whatever an earlier test or a fixture of the session has configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs


@contextmanager
def capture_every_log() -> Iterator[list[Any]]:
    """The lines that are logged, of every level; ``tests/conftest.py`` restores what was configured."""
    structlog.reset_defaults()
    with capture_logs() as logs:
        yield logs
