"""Images as tensors of the Open Inference Protocol: bytes or text, as many a sample as there are."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from reward_gateway.backends.triton.tensors import frame_value
from reward_gateway.oip.protocol import OpenInference
from tritonclient.grpc import service_pb2 as pb

pytestmark = pytest.mark.anyio


def column(name: str, shape: list[int], data: list[str]) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES", "shape": shape, "data": data}


async def infer(served: Any, *inputs: dict[str, Any]) -> tuple[list[float], list[bool]]:
    answer = await served.client.post("/v2/models/looks/infer", json={"inputs": list(inputs)})
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    return outputs["reward"], outputs["valid"]


async def test_images_are_base64_in_json_and_a_row_may_have_fewer(serve: Any, picture: Callable[..., bytes]) -> None:
    one, two = (base64.b64encode(picture(size=(width, 10))).decode() for width in (10, 20))
    async with serve() as served:
        images = column("images", [3, 2], [one, two, "data:image/png;base64," + two, "", one, "bm90IGFuIGltYWdl"])
        rewards, valid = await infer(served, images)
        assert (rewards, valid) == ([30, 20, 0], [True, True, False])
        rewards, valid = await infer(served, column("prompt", [1, 1], ["p"]), column("frames", [1, 2], [one, two]))
        assert (rewards, valid) == ([30], [True])


async def test_images_are_bytes_where_bytes_travel(serve: Any, picture: Callable[..., bytes]) -> None:
    items = [picture(size=(10, 10)), picture("JPEG", (20, 10)), picture()[:100], base64.b64encode(picture())]
    request = pb.ModelInferRequest(model_name="looks", raw_input_contents=[b"".join(map(frame_value, items))])
    request.inputs.add(name="images", datatype="BYTES", shape=[4, 1])
    async with serve() as served:
        protocol = OpenInference(served.gateway, served.settings)
        answer = await protocol.infer(request, asyncio.get_running_loop().time() + 60)
    rewards, valid = answer.raw_output_contents
    assert list(memoryview(rewards).cast("f")) == [10, 20, 0, 64]
    assert list(memoryview(valid).cast("?")) == [True, True, False, True]


async def test_shapes_and_limits_are_checked(serve: Any, picture: Callable[..., bytes]) -> None:
    one = base64.b64encode(picture()).decode()
    async with serve(max_images=1) as served:
        for inputs, status in (
            ([column("images", [1, 2], [one, one])], 413),
            ([column("images", [2, 1, 1], [one, one])], 422),
            ([column("images", [2, 1], [one, one]), column("prompt", [1, 1], ["p"])], 422),
            ([column("images", [1, 1], [one, one])], 422),
        ):
            answer = await served.client.post("/v2/models/looks/infer", json={"inputs": inputs})
            assert answer.status_code == status, answer.text
