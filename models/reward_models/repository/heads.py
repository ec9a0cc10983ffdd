"""Uploaded heads: parse untrusted bytes, compare them with the head they replace, and stage a new version.

A head is the file ``head.npz`` of a version, a few arrays. A replacement needs the same arrays with the same shapes
and types and only finite numbers; the rest of the version is unchanged. The measured figures are of the old head, so
the new card has none.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from reward_models.repository.card import CARD, Card, RepositoryError
from reward_models.repository.files import hash_file
from reward_models.runtime.head import Head

HEAD = "head.npz"

TRIALS = 16
"""Rows of standard normal features on which a head's scores must be finite."""

Array = NDArray[Any]
Form = tuple[tuple[int, ...], np.dtype[Any]]


def read_head(body: bytes, current: Path) -> dict[str, Array]:
    """The arrays of an uploaded head.

    Args:
        body: an ``.npz`` (never unpickled) or safetensors file.
        current: the head to be replaced.

    Raises:
        RepositoryError: it is neither, or has other arrays, shapes or types than ``current``, or numbers that are not
            finite, or its scores of features of ordinary size are not finite.
    """
    with np.load(current, allow_pickle=False) as arrays:
        expected: dict[str, Form] = {name: (arrays[name].shape, arrays[name].dtype) for name in arrays.files}
    found = _read_npz(body, expected) if body[:2] == b"PK" else _read_safetensors(body, expected)
    for name, array in found.items():
        if not np.isfinite(array).all():
            raise RepositoryError(f"The array {name} has numbers that are not finite.")
    _check_scores(found)
    return {name: found[name] for name in expected}


def stage_head(arrays: Mapping[str, Array], card: Card, into: Path) -> None:
    """Write a folder for :func:`reward_models.repository.versions.publish_version`: ``head.npz`` and ``card.yaml``.

    The card is ``card`` with the new head's hash and without measured figures. Equal arrays give equal bytes.
    """
    with (into / HEAD).open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    content = {**card.content, "quality": {}, "head": f"uploaded, in the place of that of {card.version}; not measured"}
    content["files"] = {**content["files"], HEAD: {"sha256": hash_file(into / HEAD)}}
    (into / CARD).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")


def _check_scores(arrays: Mapping[str, Array]) -> None:
    """Score random features: a head whose training diverged may have finite weights but infinite scores."""
    layers = Head.of(arrays)
    features = np.random.default_rng(0).standard_normal((TRIALS, len(layers.layers[0][0])), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        scores = layers(features)
    if not np.isfinite(scores).all():
        raise RepositoryError("The head's scores are not finite: its weights are far too large.")


def _read_npz(body: bytes, expected: Mapping[str, Form]) -> dict[str, Array]:
    """Arrays of a zip archive; each header is checked before its data is read, to bound memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            _check_names([name.removesuffix(".npy") for name in archive.namelist()], expected)
            return {name: _read_npy(archive, name, form) for name, form in expected.items()}
    except RepositoryError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise RepositoryError(f"The body is not a readable .npz ({type(error).__name__}).") from None


def _read_npy(archive: zipfile.ZipFile, name: str, form: Form) -> Array:
    shape, dtype = form
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found_shape, in_columns, found_dtype = read_header(file)
        _check_form(name, (found_shape, found_dtype), form)
        size = math.prod(shape) * dtype.itemsize
        numbers = file.read(size + 1)
    if len(numbers) != size:
        raise RepositoryError(f"The array {name} does not hold as many numbers as its header says.")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if in_columns else "C")


def _read_safetensors(body: bytes, expected: Mapping[str, Form]) -> dict[str, Array]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ImportError:
        raise RepositoryError("The body is not an .npz, and safetensors cannot be read: install safetensors.") from None
    try:
        found: dict[str, Array] = load(body)
    except (SafetensorError, KeyError, ValueError) as error:
        raise RepositoryError(f"The body is neither an .npz nor safetensors ({type(error).__name__}).") from None
    _check_names(list(found), expected)
    for name, array in found.items():
        _check_form(name, (array.shape, array.dtype), expected[name])
    return found


def _check_names(names: list[str], expected: Mapping[str, Form]) -> None:
    if sorted(names) != sorted(expected):
        raise RepositoryError(f"The head must have exactly the arrays {', '.join(expected)}.")


def _check_form(name: str, found: Form, form: Form) -> None:
    if found != form:
        expected, actual = (f"{dtype} {list(shape)}" for shape, dtype in (form, found))
        raise RepositoryError(f"The array {name} must be {expected}, but is {actual}.")
