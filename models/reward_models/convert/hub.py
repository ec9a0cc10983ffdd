"""Downloads a checkpoint from the hub: its safetensors, or its pickles where it has none; never code."""

import fnmatch
from collections.abc import Callable, Collection
from pathlib import Path

from reward_models.convert.errors import Refused

TEXTS = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken", "README.md", "LICENSE*")
WEIGHTS = (("*.safetensors",), ("pytorch_model*.bin",))
"""Files of weights, the preferred first. Pickles are fetched if there is nothing else, and read as tensors only."""

SECOND = ("consolidated*",)
"""The same weights in another layout."""


def choose_files(names: Collection[str]) -> list[str]:
    """The files of a repository that a conversion reads; those in folders are other forms of the model."""

    def those(patterns: Collection[str]) -> list[str]:
        return [name for name in top if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]

    top = sorted(name for name in names if "/" not in name)
    top = [name for name in top if not any(fnmatch.fnmatchcase(name, pattern) for pattern in SECOND)] or top
    return those(TEXTS) + next(filter(None, map(those, WEIGHTS)), [])


def download_snapshot(name: str, revision: str = "") -> Path:
    """The folder of a hub id's commit, downloaded or kept from before; its name is the commit.

    Raises:
        Refused: there is no such model or revision, it is gated, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi, snapshot_download

    def fetch(kept: bool) -> str:
        if kept:
            return snapshot_download(name, revision=revision or None, local_files_only=True)
        found = HfApi().model_info(name, revision=revision or None)
        wanted = choose_files([sibling.rfilename for sibling in found.siblings or ()])
        return snapshot_download(name, revision=revision or None, allow_patterns=[_quote(file) for file in wanted])

    return _fetch(name, revision, fetch)


def download_file(name: str, file: str, revision: str = "") -> Path:
    """One file of a hub id. Raises Refused as :func:`download_snapshot` does, or where there is no such file."""
    from huggingface_hub import errors, hf_hub_download

    def fetch(kept: bool) -> str:
        try:
            return hf_hub_download(name, file, revision=revision or None, local_files_only=kept)
        except errors.RemoteEntryNotFoundError as error:
            raise Refused(f"{name} has no file {file}.") from error

    return _fetch(name, revision, fetch)


def _fetch(name: str, revision: str, fetch: Callable[[bool], str]) -> Path:
    """What ``fetch`` gives: from the hub, or where that cannot be reached, what is ``kept`` of it."""
    from huggingface_hub import constants, errors

    at = constants.ENDPOINT
    try:
        return Path(fetch(False))
    except Refused:
        raise
    except errors.GatedRepoError as error:
        raise Refused(
            f"{name} is gated: accept its terms at {at}/{name}, and set HF_TOKEN to a token of that account."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise Refused(f"{name} has no revision {revision!r}: give a branch, a tag or a whole commit.") from error
    except errors.RepositoryNotFoundError as error:
        raise Refused(
            f"{at} has no model {name}, or none that you may see: check the name, and HF_TOKEN for a private one."
        ) from error
    except Exception as error:  # the hub's client raises errors of many libraries
        try:
            return Path(fetch(True))
        except Exception:
            raise Refused(
                f"{name} could not be fetched from {at} ({type(error).__name__}: {error}). Run the command "
                "again, which goes on where it ended, or give a folder."
            ) from error


def _quote(name: str) -> str:
    """A pattern that matches one name."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
