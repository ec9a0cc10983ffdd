"""LeRobot, and what else rewards robots by ``compute_reward(batch) -> Tensor[B]`` (RLinf's in-process models).

    from reward_gateway.client.adapters.lerobot import RewardGatewayRewardModel
    model = RewardGatewayRewardModel("RECIPE", "http://HOST:8080")
    rewards = model.compute_reward(batch)

The batch is LeRobot's: every key ``observation.image…`` a tensor [B, C, H, W] or, for a window of frames,
[B, T, C, H, W], floats in [0, 1] or bytes; ``task``: texts. Frames go out as JPEG, in the order of time; with several
cameras the first one in the alphabet counts unless ``camera`` names another. LeRobot finds no reward model of another
package by configuration, so a script has to make it. A sample without a score raises. It needs Pillow.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_gateway.client.adapters.service import Service, numbers


class RewardGatewayRewardModel:
    """A reward model whose weights are elsewhere.

    Args:
        reward, url, api_key, timeout_s: as everywhere; what is not given comes from the environment.
        camera: key of the batch that holds the frames.
        quality: of the JPEGs, 1 to 95.
    """

    name = "reward_gateway"

    def __init__(
        self,
        reward: str | None = None,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float | None = None,
        camera: str | None = None,
        quality: int = 95,
    ) -> None:
        self._service = Service.of(url, reward, api_key, timeout_s)
        self._camera = camera
        self._quality = quality

    def compute_reward(self, batch: Mapping[str, Any]) -> Any:
        """Rewards [B], float32, a tensor on the frames' device where the frames are a tensor, else numpy.

        Raises:
            KeyError: the batch holds no frames.
            Unscored, GatewayError: there is no reward for a sample, or for none.
        """
        frames = batch[self._camera or _camera(batch)]
        videos = _bytes(frames)
        tasks = batch.get("task") or [""] * len(videos)
        tasks = [tasks] * len(videos) if isinstance(tasks, str) else tasks
        samples = [
            {"prompt": task, "response": "", "frames": [self._encoded(frame) for frame in video]}
            for task, video in zip(tasks, videos, strict=True)
        ]
        rewards = np.array(numbers(self._service.score(samples)), dtype=np.float32)
        return frames.new_tensor(rewards, dtype=_float32(frames)) if hasattr(frames, "new_tensor") else rewards

    def reset(self) -> None:
        """Nothing is held from one episode to the next."""

    def _encoded(self, frame: Any) -> bytes:
        from PIL import Image

        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, format="JPEG", quality=self._quality)
        return buffer.getvalue()


def _camera(batch: Mapping[str, Any]) -> str:
    cameras = sorted(key for key in batch if key.startswith("observation.image"))
    if not cameras:
        raise KeyError("the batch has no key observation.image…; name the camera")
    return cameras[0]


def _bytes(frames: Any) -> NDArray[np.uint8]:
    """[B, T, H, W, C] uint8 of what LeRobot has."""
    array = np.asarray(frames.detach().cpu() if hasattr(frames, "detach") else frames)
    if array.ndim == 4:
        array = array[:, None]
    if array.dtype != np.uint8:
        array = (np.clip(array, 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(array, 2, -1))


def _float32(frames: Any) -> Any:
    import torch

    return torch.float32
