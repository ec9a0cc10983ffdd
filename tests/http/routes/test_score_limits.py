"""Limits of a score request: the exact value passes, one more does not; and what a body may be packed in."""

import base64
import gzip
import json
from io import BytesIO
from typing import Any

import pytest
import zstandard
from PIL import Image

pytestmark = pytest.mark.anyio


def samples(*responses: str | None) -> dict[str, Any]:
    return {"samples": [{"prompt": "p", **({} if text is None else {"response": text})} for text in responses]}


def png(width: int = 3, height: int = 2) -> str:
    buffer = BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("settings", "at", "over", "param"),
    [
        ({"max_samples": 3}, samples(*"abc"), samples(*"abcd"), "samples"),
        ({"max_text_chars": 20}, samples("x" * 20), samples("a", "x" * 21), "samples[1].response"),
        (
            {"max_text_chars": 20},
            {"samples": [{"prompt": "é" * 20, "response": ""}]},
            {"samples": [{"prompt": "é" * 21}]},
            "samples[0].prompt",
        ),
        (
            {"max_text_chars": 20},
            {"samples": [{"reference": "x" * 20, "response": ""}]},
            {"samples": [{"reference": "x" * 21}]},
            "samples[0].reference",
        ),
        (
            {"max_text_chars": 20},
            {"samples": [{"response": [{"role": "a", "content": "x" * 20}]}]},
            {
                "samples": [
                    {
                        "response": [
                            {"role": "a", "content": "x" * 10},
                            {"role": "b", "content": [{"type": "text", "text": "y" * 11}]},
                        ]
                    }
                ]
            },
            "samples[0].response",
        ),
        (
            {"max_text_chars": 20},
            {"samples": [{"steps": [{"text": "x" * 20}], "response": ""}]},
            {"samples": [{"steps": [{"text": ""}, {"text": "x" * 21}]}]},
            "samples[0].steps[1].text",
        ),
        (
            {},
            {"samples": [{"id": "i" * 256, "response": ""}]},
            {"samples": [{"id": "i" * 257, "response": ""}]},
            "samples[0].id",
        ),
        (
            {"max_images": 2},
            {"samples": [{"images": [png()] * 2, "response": ""}]},
            {"samples": [{"images": [png()] * 3}]},
            "samples[0].images",
        ),
        (
            {"max_frames": 2},
            {"samples": [{"frames": [png()] * 2, "response": ""}]},
            {"samples": [{"frames": [png()] * 3}]},
            "samples[0].frames",
        ),
    ],
)
async def test_both_sides_of_every_limit(serve: Any, settings: dict[str, int], at: Any, over: Any, param: str) -> None:
    async with serve(**settings) as served:
        assert (await served.score(at)).status_code == 200
        assert served.refused(await served.score(over), 413, param)["code"] == "too_large"


async def test_the_default_limits_are_those_of_the_contract(served: Any) -> None:
    assert (await served.score(samples(*["a"] * 4096))).status_code == 200
    served.refused(await served.score(samples(*["a"] * 4097)), 413, "samples")
    assert (await served.score(samples("x" * 200_000))).status_code == 200
    served.refused(await served.score(samples("x" * 200_001)), 413, "samples[0].response")


@pytest.mark.parametrize("header", ["X-Request-Id", "X-Request-Deadline-Ms", "X-Api-Key"])
async def test_a_header_of_256_characters_passes_and_of_257_does_not(served: Any, header: str) -> None:
    assert (await served.score(samples("a"), headers={header: "1" * 256})).status_code in (200, 422)
    served.refused(await served.score(samples("a"), headers={header: "1" * 257}), 413, header.lower())


async def test_both_sides_of_the_body_limit_as_sent(serve: Any) -> None:
    body = json.dumps(samples("a")).encode()
    async with serve(max_body_bytes=len(body)) as served:
        assert (await served.score(body)).status_code == 200
        assert served.refused(await served.score(body + b" "), 413)["code"] == "too_large"

        async def chunks() -> Any:  # without Content-Length
            yield body
            yield b" "

        served.refused(
            await served.client.post("/v1/score", content=chunks(), headers={"content-type": "application/json"}), 413
        )


COMPRESS = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("encoding", sorted(COMPRESS))
async def test_both_sides_of_the_body_limit_as_decompressed(serve: Any, encoding: str) -> None:
    body = json.dumps(samples("a" * 5000)).encode()
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    async with serve(max_body_bytes=len(body)) as served:
        assert (await served.score(COMPRESS[encoding](body), headers=headers)).json()["results"][0]["reward"] == 5000.0
        served.refused(await served.score(COMPRESS[encoding](body + b" "), headers=headers), 413)
        served.refused(await served.score(COMPRESS[encoding](bytes(50 << 20)), headers=headers), 413)


@pytest.mark.parametrize("encoding", sorted(COMPRESS))
async def test_broken_compression_is_a_400(served: Any, encoding: str) -> None:
    whole = COMPRESS[encoding](json.dumps(samples("a")).encode())
    for broken in (whole[:-3], b"{}", b"", whole + b"x"):
        served.refused(await served.score(broken, headers={"content-encoding": encoding}), 400)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "br"},
        {"content-encoding": "gzip, gzip"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "multipart/form-data"},
        {"content-type": "jsonish"},
    ],
)
async def test_unknown_types_and_encodings_are_a_415(served: Any, headers: dict[str, str]) -> None:
    assert served.refused(await served.score(b"{}", headers=headers), 415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.api+json", None]
)
async def test_json_by_any_of_its_names_is_read(served: Any, content_type: str | None) -> None:
    body = json.dumps(samples("a")).encode()
    assert (
        await served.score(body, headers={"content-type": content_type} if content_type else None)
    ).status_code == 200
