"""An uploaded head has what the one before had, in the same shapes, and nothing that is run or that fills memory."""

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from reward_models.repository import RepositoryError, card, heads
from reward_models.repository.files import hash_file
from safetensors.numpy import save

ARRAYS: dict[str, Any] = {"w0": np.arange(6, dtype=np.float32).reshape(3, 2), "b0": np.zeros(2, np.float64)}


def npz(compressed: bool = False, **arrays: Any) -> bytes:
    body = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(body, **arrays)
    return body.getvalue()


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("held") / "head.npz"
    np.savez(path, **ARRAYS)
    return path


@pytest.mark.parametrize("body", [npz(**ARRAYS), npz(compressed=True, **ARRAYS), save(ARRAYS)])
def test_the_same_arrays_are_read_from_either_format(body: bytes, held: Path) -> None:
    found = heads.read_head(body, held)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_in_columns_keep_their_order(held: Path) -> None:
    body = npz(w0=np.asfortranarray(ARRAYS["w0"]), b0=ARRAYS["b0"])
    np.testing.assert_array_equal(heads.read_head(body, held)["w0"], ARRAYS["w0"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"w0": ARRAYS["w0"].T}, r"w0 must be float32 \[3, 2\], but is float32 \[2, 3\]"),
        ({"w0": ARRAYS["w0"].astype(np.float64)}, r"w0 must be float32 \[3, 2\], but is float64"),
        ({"w1": ARRAYS["w0"]}, "exactly the arrays w0, b0"),
        ({"b0": np.array([1.0, np.nan])}, "b0 has numbers that are not finite"),
        ({"b0": np.array([1.0, np.inf])}, "b0 has numbers that are not finite"),
    ],
)
@pytest.mark.parametrize("write", [npz, lambda **arrays: save({k: np.ascontiguousarray(v) for k, v in arrays.items()})])
def test_another_head_is_refused_with_what_differs(write: Any, changed: dict[str, Any], said: str, held: Path) -> None:
    with pytest.raises(RepositoryError, match=said):
        heads.read_head(write(**{**ARRAYS, **changed}), held)


class Exploit:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("something was unpickled",))


@pytest.mark.parametrize("scale", [1e3, 3e38])
def test_a_head_whose_training_ran_away_is_refused(scale: float, held: Path) -> None:
    body = npz(**ARRAYS | {"w0": np.full((3, 2), scale, np.float32)})
    if scale == 1e3:
        assert heads.read_head(body, held)["w0"].max() == scale
    else:
        with pytest.raises(RepositoryError, match="scores are not finite"):
            heads.read_head(body, held)


def test_nothing_is_unpickled(held: Path) -> None:
    objects = npz(w0=np.array([Exploit()], object), b0=ARRAYS["b0"])
    for body in (objects, pickle.dumps(Exploit())):
        with pytest.raises(RepositoryError):
            heads.read_head(body, held)


def test_a_small_body_cannot_ask_for_much_memory(held: Path) -> None:
    bomb = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (3, 2)})
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w0.npy", header.getvalue() + bytes(64 << 20))
        archive.writestr("b0.npy", b"")
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(RepositoryError, match="as many numbers"):
        heads.read_head(bomb.getvalue(), held)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_an_error(held: Path, noise: bytes) -> None:
    head = npz(**ARRAYS)
    for body in (noise, b"PK" + noise, head[: len(noise)], head[:40] + noise + head[40 + len(noise) :]):
        with contextlib.suppress(RepositoryError):
            heads.read_head(body, held)


def test_the_staged_card_differs_by_the_head_and_claims_no_figures(held: Path, tmp_path: Path) -> None:
    content: dict[str, Any] = {"name": "m", "settings": {"a": 1}, "dimensions": {"d": "it"}, "quality": {"pairs": 0.9}}
    content["files"] = {"encoder.onnx": {"sha256": "e" * 64}, "head.npz": {"sha256": hash_file(held)}}
    before = card.Card("m", content, tuple(card.parse_file(name, entry) for name, entry in content["files"].items()))
    versions: list[str] = []
    for scale in (2.0, 2.0, 3.0):
        folder = tmp_path / str(len(versions))
        folder.mkdir()
        heads.stage_head({name: array * array.dtype.type(scale) for name, array in ARRAYS.items()}, before, folder)
        staged = card.read_card(folder)
        assert yaml.safe_load((folder / "card.yaml").read_text())["quality"] == {}
        assert staged.content["files"]["encoder.onnx"] == {"sha256": "e" * 64}
        versions.append(staged.version)
    assert versions[0] == versions[1] != before.version
    assert versions[2] not in (versions[0], before.version)
