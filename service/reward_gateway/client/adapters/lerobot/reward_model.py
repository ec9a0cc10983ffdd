"""A recipe as a reward model over frames, for scripts. It needs no package of a trainer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_gateway.client.adapters.service import Service, require_numbers
from reward_gateway.client.frames import encode_picture, to_array, to_bytes


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
            ValueError: frames of another shape or range; it says what came.
            Unscored, GatewayError: there is no reward for a sample, or for none.
        """
        frames, videos = self._read_frames(batch)
        return _match_type(frames, self._score_windows(videos, batch.get("task")))

    def predict_reward(self, batch: Mapping[str, Any], threshold: float = 0.5) -> Any:
        """1 where the reward of this moment reaches the threshold, else 0: [B], as :meth:`compute_reward` gives it.

        The last frame of each window counts, beside the first that was seen since :meth:`reset`.

        Raises:
            KeyError, ValueError, Unscored, GatewayError: as :meth:`compute_reward`.
        """
        frames, videos = self._read_frames(batch)
        last_frames = videos[:, -1]
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

    def _read_frames(self, batch: Mapping[str, Any]) -> tuple[Any, NDArray[np.uint8]]:
        """The frames as they came, and as windows [B, T, H, W, C]."""
        key = self._camera or _find_camera(batch)
        return batch[key], _to_windows(batch[key], key)

    def _encode_frame(self, frame: Any) -> bytes:
        return encode_picture(frame, "JPEG", quality=self._quality)


def _find_camera(batch: Mapping[str, Any]) -> str:
    cameras = sorted(key for key in batch if key.startswith("observation.image"))
    if not cameras:
        raise KeyError("the batch has no key observation.image…; name the camera")
    return cameras[0]


def _to_windows(frames: Any, key: str) -> NDArray[np.uint8]:
    """[B, T, H, W, C] uint8 of what LeRobot has."""
    array = to_array(frames)
    if array.ndim not in (4, 5) or array.shape[-3] not in (1, 3):
        shape = ", ".join(map(str, array.shape))
        raise ValueError(f"{key}: expected [B, C, H, W] or [B, T, C, H, W] of 1 or 3 channels; got [{shape}]")
    pixels = to_bytes(array, key)
    windows = pixels[:, None] if pixels.ndim == 4 else pixels
    return np.ascontiguousarray(np.moveaxis(windows, 2, -1))


def _match_type(frames: Any, values: NDArray[np.float32]) -> Any:
    """A tensor where the frames are one."""
    return frames.new_tensor(values, dtype=_torch_float32(frames)) if hasattr(frames, "new_tensor") else values


def _torch_float32(frames: Any) -> Any:
    import torch

    return torch.float32
