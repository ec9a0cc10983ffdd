"""Images in requests: sent in pieces as they are read, and never whole in base64."""

import base64
import json
import tracemalloc
from typing import Any

import pytest
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.images import CHUNK, ImageUrl, JsonBody, count_json_bytes, write_images
from reward_gateway.backends.upstreams.rows import QuestionEncoder
from reward_gateway.sample import Batch, Media

from .conftest import OpenUpstreams, StartServer, entry, soon

PNG = b"\x89PNG\r\n\x1a\n"


def url_of(image: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def conversation(*images: bytes) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": ImageUrl(Media(image))}} for image in images]
    return {"model": "rm", "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "a é?"}]}]}


SIZES = [0, 1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]


@pytest.mark.parametrize("size", SIZES)
def test_the_pieces_are_the_json_of_the_whole(size: int) -> None:
    first, second = PNG + b"x" * size, b"GIF8" + bytes(range(256))
    value = conversation(first, second)
    body = JsonBody(value)
    sent = b"".join(body.pieces())
    assert len(sent) == body.size
    urls = [part["image_url"]["url"] for part in json.loads(sent)["messages"][0]["content"][:2]]
    assert urls == [url_of(first), url_of(second, "gif")]
    assert json.loads(sent) == write_images(value)
    assert abs(count_json_bytes(value) - body.size) < 200


def test_no_piece_is_larger_than_a_part_of_an_image() -> None:
    pieces = [len(piece) for piece in JsonBody(conversation(PNG + b"x" * 3_000_000)).pieces()]
    assert max(pieces) <= CHUNK // 3 * 4


def test_a_body_without_images_is_one_piece() -> None:
    assert JsonBody({"input": ["é"]}).content == '{"input":["é"]}'.encode()


def test_rows_that_wait_hold_their_images_once() -> None:
    images = [PNG + bytes([k]) * 2_000_000 for k in range(8)]
    batch = Batch(["k"] * 8, ["what?"] * 8, ["that"] * 8, images=[[Media(image)] for image in images])
    config = UpstreamConfig.model_validate({"protocol": "vllm_classify", "urls": ["http://rm"], "images": True})
    encoder = QuestionEncoder(config)
    tracemalloc.start()
    try:
        rows = encoder.encode(config, batch, range(8)).rows
        (call,) = [JsonBody({"messages": rows.questions[0].messages})]
        assert sum(map(len, call.pieces())) == call.size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000, "less than one of the images"
    assert rows.count_bytes(0, 8) > 8 * 2_000_000 * 4 / 3


@pytest.mark.anyio
async def test_a_large_image_arrives_whole(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", images=True))
    image = PNG + bytes(range(256)) * 4000
    batch = Batch(["0"], ["what?"], ["that"], images=[[Media(image)]])
    answer = await models.score("rm", batch, [0], soon())
    assert answer.invalid == {}
    (sent,) = [body for body in server.asked if body["messages"][-1]["content"] == "that"]
    assert sent["messages"][0]["content"][0]["image_url"]["url"] == url_of(image)
    headers = server.headers[server.bodies.index(sent)]
    assert int(headers["content-length"]) > len(image)
    assert "transfer-encoding" not in headers
