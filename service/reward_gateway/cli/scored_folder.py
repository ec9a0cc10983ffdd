"""The folder of a report: made before anything is scored, kept where a run stops, and gone where it scored nothing."""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import typer

from reward_gateway.errors import GatewayError

from .output import INTERRUPTED, Unusable, err, print_error
from .termination import until_terminated

T = TypeVar("T")


def score_into(folder: Path, work: Coroutine[Any, Any, T]) -> T:
    """The result of work that writes its scores into a folder as they come.

    Raises:
        Unusable: the folder cannot be made or written to.
        GatewayError: as the work does.
        typer.Exit: it was interrupted.
    """
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        work.close()
        raise Unusable(f"{folder} cannot be written to ({error.strerror}); choose another --out") from None
    try:
        return asyncio.run(until_terminated(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print_error("stopped; run the same command again to resume")
        raise typer.Exit(INTERRUPTED) from None
    except GatewayError:
        if any(folder.iterdir()):
            err.print("what is scored is kept; run the same command again to resume")
        raise
    except OSError as error:  # a full disk, or a folder that was removed: the service's faults are GatewayErrors
        raise Unusable(f"{folder} cannot be written to ({error.strerror})") from None
    finally:
        with suppress(OSError):
            folder.rmdir()  # goes only if it is empty: a run that scored nothing leaves nothing
