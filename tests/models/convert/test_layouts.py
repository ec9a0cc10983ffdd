"""Files of weights in the layout of another library: what is known of them, and what is asked for."""

from pathlib import Path

import numpy as np
import pytest
from reward_models.convert import Refused
from reward_models.convert.checkpoint import fetch_checkpoint
from reward_models.convert.layouts import find_file, find_layout, rewrite_weights
from safetensors.numpy import save_file

from .checkpoints import write_checkpoint

OPEN_CLIP = ("visual.conv1.weight", "token_embedding.weight", "text_projection", "visual.positional_embedding")
IMAGE_REWARD = ("blip.visual_encoder.pos_embed", "mlp.layers.0.weight")


def write_file(path: Path, names: tuple[str, ...]) -> Path:
    save_file({name: np.zeros((1, 10, 2), np.float32) for name in names}, path)
    return path


@pytest.mark.parametrize(("name", "tensors"), [("open_clip", OPEN_CLIP), ("ImageReward", IMAGE_REWARD)])
def test_a_layout_is_known_by_its_tensors(name: str, tensors: tuple[str, ...], tmp_path: Path) -> None:
    path = write_file(tmp_path / "weights.safetensors", tensors)
    assert find_file(str(path)) == path
    assert find_layout(path).name == name


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    path = write_file(tmp_path / "weights.safetensors", ("a", "b"))
    with pytest.raises(Refused, match=r"\(a, b …\) are not in the layout of open_clip or ImageReward: give the folder"):
        find_layout(path)


@pytest.mark.parametrize("source", ["owner/name", "owner/name/README.md", "folder/with/many/parts.pt"])
def test_what_is_no_file_of_weights(source: str) -> None:
    assert find_file(source) is None


def test_the_base_is_of_the_type_that_the_weights_are(tmp_path: Path) -> None:
    path = write_file(tmp_path / "weights.safetensors", OPEN_CLIP)
    base = fetch_checkpoint(str(write_checkpoint(tmp_path / "base", "BlipModel", "blip")))
    with pytest.raises(Refused, match=r"--base is to be of type clip \(such as laion/CLIP.*base is blip"):
        rewrite_weights(path, str(path), find_layout(path), base, tmp_path)
