"""A head is a chain of layers read from arrays alone."""

from pathlib import Path

import numpy as np
import pytest
from reward_models.runtime.head import Head, gelu


def test_layers_follow_one_another_with_gelu_between(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    w0, b0, w1, b1 = (dice.normal(size=shape).astype(np.float32) for shape in ((5, 3), (3,), (3, 2), (2,)))
    np.savez(tmp_path / "head.npz", w0=w0, b0=b0, w1=w1, b1=b1)
    x = dice.normal(size=(7, 5)).astype(np.float32)
    expected = gelu((x @ w0 + b0).astype(np.float64)) @ w1 + b1
    np.testing.assert_allclose(Head.load(tmp_path / "head.npz")(x), expected, atol=1e-5)


def test_a_file_without_a_chain_of_layers_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "head.npz", w0=np.zeros((5, 3)), b0=np.zeros(3), w1=np.zeros((4, 1)), b1=np.zeros(1))
    with pytest.raises(ValueError, match="of matching shapes"):
        Head.load(tmp_path / "head.npz")


def test_a_file_that_holds_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "head.npz", w0=np.array([{"a": 1}], object), b0=np.zeros(1))
    with pytest.raises(ValueError, match="allow_pickle"):
        Head.load(tmp_path / "head.npz")
