"""robometer's clients post frames as files of a form, and read one progress a frame."""

import io
import json
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.anyio


def parts(*lengths: int, kind: str = "progress", dtype: Any = np.uint8) -> tuple[dict[str, str], dict[str, Any]]:
    """Fields and files of trajectories."""
    data, files = {"use_frame_steps": "true"}, {}
    for i, length in enumerate(lengths):
        name = f"sample_{i}_trajectory_frames"
        trajectory = {
            "frames": {"__numpy_file__": name},
            "frames_shape": [length, 4, 4, 3],
            "task": "open it",
            "id": "0",
        }
        data[f"sample_{i}"] = json.dumps({"sample_type": kind, "trajectory": trajectory})
        file = io.BytesIO()
        np.save(file, np.zeros((length, 4, 4, 3), dtype))
        files[name] = (f"{name}.npy", file.getvalue(), "application/octet-stream")
    return data, files


async def send(http: Any, data: Any, files: Any, path: str = "/evaluate_batch_npy?reward=looks") -> Any:
    return await http.client.post(path, data=data, files=files)


@pytest.mark.parametrize("path", ["/evaluate_batch_npy?reward=looks", "/robometer/evaluate_batch_npy?reward=looks"])
async def test_there_is_one_progress_a_frame(http: Any, path: str) -> None:
    answer = await send(http, *parts(3, 1), path=path)
    assert answer.status_code == 200
    found = answer.json()
    assert set(found) == {"outputs_preference", "outputs_progress", "outputs_success"}
    assert found["outputs_progress"] == {"progress_pred": [[1.0, 2.0, 3.0], [1.0]]}


async def test_what_is_no_trajectory_is_refused(http: Any) -> None:
    data, files = parts(2)
    for fields, held in (
        ({}, files),
        ({"sample_0": "junk"}, files),
        ({"sample_0": "{}"}, files),
        (data, {"other": files["sample_0_trajectory_frames"]}),
        parts(2, kind="preference"),
        parts(2, dtype=np.float32),
    ):
        assert (await send(http, fields, held)).status_code == 422
    answer = await http.client.post(
        "/evaluate_batch_npy", content=b"x", headers={"Content-Type": "multipart/form-data"}
    )
    assert answer.status_code in (400, 422)


async def test_models_that_are_away_are_an_error(http: Any) -> None:
    http.models.away = True
    assert (await send(http, *parts(2))).status_code == 503
