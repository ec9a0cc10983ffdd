"""LeRobot, and what else rewards robots by ``compute_reward(batch) -> Tensor[B]`` (RLinf's in-process models).

    from reward_gateway.client.adapters.lerobot import RewardGatewayRewardModel
    model = RewardGatewayRewardModel("RECIPE", "http://HOST:8080")
    rewards = model.compute_reward(batch)

The batch is LeRobot's: every key ``observation.image…`` a tensor [B, C, H, W] or, for a window of frames,
[B, T, C, H, W], floats in [0, 1] or bytes; ``task``: texts. Frames go out as JPEG, in the order of time; with several
cameras the first one in the alphabet counts unless ``camera`` names another. LeRobot finds no reward model of another
package by configuration, so a script has to make it. A sample without a score raises. It needs Pillow.

In a control loop (HIL-SERL's reward step) it is asked for each moment alone, and remembers how the episode began:

    model = RewardGatewayRewardModel("robot_success", "http://HOST:8080", task="open the drawer")
    model.reset()                                            # at the start of an episode
    done = model.predict_reward(observation, threshold=0.5)  # each step
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_gateway.client.adapters.service import Service, require_numbers


class RewardGatewayRewardModel:
    """A reward model whose weights are elsewhere.

    Args:
        reward, url, api_key, timeout_s, run: as everywhere; what is not given comes from the environment.
        camera: key of the batch that holds the frames.
        task: the instruction where a batch names none.
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
        task: str = "",
        quality: int = 95,
        run: str | None = None,
    ) -> None:
        self._service = Service.of(url, reward, api_key, timeout_s, run=run)
        self._camera = camera
        self._task = task
        self._first: NDArray[np.uint8] | None = None
        self._quality = quality

    def compute_reward(self, batch: Mapping[str, Any]) -> Any:
        """Rewards [B], float32, a tensor on the frames' device where the frames are a tensor, else numpy.

        Raises:
            KeyError: the batch holds no frames.
            Unscored, GatewayError: there is no reward for a sample, or for none.
        """
        frames = batch[self._camera or _find_camera(batch)]
        return _match_type(frames, self._score_windows(_to_uint8(frames), batch.get("task")))

    def predict_reward(self, batch: Mapping[str, Any], threshold: float = 0.5) -> Any:
        """1 where the reward of this moment reaches the threshold, else 0: [B], as :meth:`compute_reward` gives it.

        The last frame of each window counts, beside the first that was seen since :meth:`reset`.

        Raises:
            KeyError: the batch holds no frames.
            Unscored, GatewayError: there is no reward for a sample, or for none.
        """
        frames = batch[self._camera or _find_camera(batch)]
        last_frames = _to_uint8(frames)[:, -1]
        if self._first is None or self._first.shape != last_frames.shape:
            self._first = last_frames
        rewards = self._score_windows(np.stack([self._first, last_frames], axis=1), batch.get("task"))
        return _match_type(frames, (rewards >= threshold).astype(np.float32))

    def reset(self) -> None:
        """An episode begins: the next frame is its first."""
        self._first = None

    def _score_windows(self, videos: NDArray[np.uint8], tasks: Any) -> NDArray[np.float32]:
        """Rewards [B] of windows [B, T, H, W, C]."""
        tasks = tasks or self._task
        tasks = [tasks] * len(videos) if isinstance(tasks, str) else tasks
        samples = [
            {"prompt": task, "response": "", "frames": [self._encode_frame(frame) for frame in video]}
            for task, video in zip(tasks, videos, strict=True)
        ]
        return np.array(require_numbers(self._service.score(samples)), dtype=np.float32)

    def _encode_frame(self, frame: Any) -> bytes:
        from PIL import Image

        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, format="JPEG", quality=self._quality)
        return buffer.getvalue()


def _find_camera(batch: Mapping[str, Any]) -> str:
    cameras = sorted(key for key in batch if key.startswith("observation.image"))
    if not cameras:
        raise KeyError("the batch has no key observation.image…; name the camera")
    return cameras[0]


def _to_uint8(frames: Any) -> NDArray[np.uint8]:
    """[B, T, H, W, C] uint8 of what LeRobot has."""
    array = np.asarray(frames.detach().cpu() if hasattr(frames, "detach") else frames)
    if array.ndim == 4:
        array = array[:, None]
    if array.dtype != np.uint8:
        array = (np.clip(array, 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(array, 2, -1))


def _match_type(frames: Any, values: NDArray[np.float32]) -> Any:
    """A tensor where the frames are one."""
    return frames.new_tensor(values, dtype=_torch_float32(frames)) if hasattr(frames, "new_tensor") else values


def _torch_float32(frames: Any) -> Any:
    import torch

    return torch.float32
