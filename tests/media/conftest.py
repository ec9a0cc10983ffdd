"""Hostile images, made here: what each is, and what is said of it. And a gateway whose one model decodes images.

Every entry is ``name: (bytes, code)``; the code is the reason of the sample, None where the image, odd as it is, has
pixels that can be read.
"""

import asyncio
import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.intake.fetch.fetcher import Fetcher
from reward_gateway.intake.media import MediaLimits
from reward_gateway.intake.media_loader import Intake
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic
from reward_models.runtime.images import ImageError, decode_image

from tests.contract import HttpContract

Corpus = dict[str, tuple[bytes, str | None]]

BROKEN = "invalid_media"
MAX_PIXELS = 40_000_000


def image(kind: str = "PNG", size: tuple[int, int] = (64, 48), **how: Any) -> bytes:
    """A picture of noise, so that what is encoded is about as long as its pixels."""
    noise = random.Random(7).randbytes(size[0] * size[1] * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(buffer, kind, **how)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *before: bytes, depth: int = 8, colour: int = 2, idat: bytes | None = None) -> bytes:
    """A PNG, piece by piece; black where ``idat`` is not given."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    if idat is None:
        idat = chunk(b"IDAT", zlib.compress(bytes(min(height, 100) * (3 * min(width, 100) + 1))))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + idat + chunk(b"IEND")


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"".join(blocks) + b";"


def frame(width: int = 1, height: int = 1, left: int = 0) -> bytes:
    """A frame of a GIF with one pixel's data."""
    return b"," + struct.pack("<HHHHB", left, 0, width, height, 0) + b"\x02\x02D\x01\x00"


def bmp(width: int, height: int, compression: int = 0, depth: int = 24, body: bytes = b"", header: int = 40) -> bytes:
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, depth, compression, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + info + body


def webp_canvas(width: int, height: int, frames: int = 2) -> bytes:
    """An animation of tiny frames on a canvas of any size."""

    def box(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    still = image("WEBP", (4, 4), lossless=True)[12:]
    shown = bytes(6) + (3).to_bytes(3, "little") * 2 + (100).to_bytes(3, "little") + b"\0" + still
    canvas = bytes([2, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + box(b"VP8X", canvas) + box(b"ANIM", bytes(6)) + box(b"ANMF", shown) * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(*before: bytes, size: tuple[int, int] | None = None, **how: Any) -> bytes:
    """A JPEG with segments put before its own, and perhaps another size in its header."""
    data = image("JPEG", **how)
    if size is not None:
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        data = data[: at + 5] + struct.pack(">HH", size[1], size[0]) + data[at + 9 :]
    return data[:2] + b"".join(before) + data[2:]


def segment(marker: int, data: bytes = b"") -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def scans(many: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = image("JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * many + data[-2:]


def exif(entries: bytes, count: int, after: int = 0) -> bytes:
    return segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + struct.pack("<I", after))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", image())
    return buffer.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def truncated() -> Corpus:
    """Every format, cut at a tenth, at half, and near its end."""
    return {
        f"{kind} cut at {part:.0%}": (image(kind)[: int(len(image(kind)) * part)], BROKEN)
        for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP")
        for part in (0.001, 0.1, 0.5, 0.9)
    }


def foreign() -> Corpus:
    """Files of other kinds."""
    tiff = io.BytesIO()
    Image.new("RGB", (4, 4)).save(tiff, "TIFF")
    texts = {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "xml with an entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "html": b"<html><script>alert(1)</script></html>",
        "pdf": b"%PDF-1.7\n1 0 obj<<>>endobj",
        "postscript": b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file",
        "json": b'{"image": "a.png"}',
        "pickle": b"\x80\x04cos\nsystem\n.",
        "an icon": b"\0\0\1\0\1\0\1\1\0\0\1\0\x18\0" + bytes(40),
        "an executable": b"\x7fELF" + bytes(60),
        "a video": b"\0\0\0\x18ftypmp42" + bytes(60),
        "a script that begins as a GIF": b"GIF89a/*" + b"A" * 60 + b"*/=1;alert(1)",
        "noise": random.Random(1).randbytes(5000),
    }
    files = {"zip": zipped(), "gzip": gzip.compress(image()), "tiff": tiff.getvalue(), **texts}
    return {name: (data, BROKEN) for name, data in {"nothing": b"", "one byte": b"\xff", **files}.items()}


def pngs() -> Corpus:
    bomb = zlib.compress(bytes(900_000), 9)
    deep = zlib.compress(bytes(1 << 27), 9)
    control = chunk(b"acTL", struct.pack(">II", (1 << 31) - 1, 0))
    good = image()
    return {
        "png of 60,000 pixels a side": (png(60_000, 60_000), "too_large"),
        "png of 2^31 - 1 pixels a side": (png((1 << 31) - 1, (1 << 31) - 1), "too_large"),
        "png of one row too many": (png(MAX_PIXELS // 1000, 1001), "too_large"),
        "png of one long row without its data": (png(20_000, 1), BROKEN),
        "png of 0 by 0": (png(0, 0), BROKEN),
        "png without width": (png(0, 9), BROKEN),
        "png whose header is damaged": (flipped(good, 20), "too_large"),
        "png whose header's sum is wrong": (flipped(good, 30), BROKEN),
        "png whose data's sum is wrong": (flipped(good, 45), BROKEN),
        "png that begins with another chunk": (good[:8] + chunk(b"tEXt", b"a\0b") + good[8:], BROKEN),
        "png of a depth of 3": (png(4, 4, depth=3), BROKEN),
        "png of an unknown colour type": (png(4, 4, colour=5), BROKEN),
        "png without data": (png(4, 4, idat=b""), BROKEN),
        "png of too little data": (png(90, 90, idat=chunk(b"IDAT", zlib.compress(b"\0"))), BROKEN),
        "png of data that is no zlib": (png(4, 4, idat=chunk(b"IDAT", b"garbage")), BROKEN),
        "png whose data unfolds without end": (png(2, 2, idat=chunk(b"IDAT", deep)), None),
        "png of a chunk of 4 GiB": (png(4, 4, b"\xff\xff\xff\xffabcd"), BROKEN),
        "png of 60 compressed texts": (png(2, 2, *[chunk(b"zTXt", b"k%d\0\0" % i + bomb) for i in range(60)]), BROKEN),
        "png of 60 international texts": (
            png(2, 2, *[chunk(b"iTXt", b"k%d\0\1\0\0\0" % i + bomb) for i in range(60)]),
            BROKEN,
        ),
        "png of one text of 128 MiB": (png(2, 2, chunk(b"zTXt", b"k\0\0" + deep)), BROKEN),
        "png of a colour profile of 128 MiB": (png(2, 2, chunk(b"iCCP", b"p\0\0" + deep)), BROKEN),
        "png of 200,000 chunks": (png(2, 2, *[chunk(b"tEXt", b"a\0b")] * 200_000), BROKEN),
        "png of 50,000 empty pieces of data": (png(2, 2, *[chunk(b"IDAT")] * 50_000), BROKEN),
        "png of 2^31 - 1 frames": (png(2, 2, control), None),
        "png that moves": (image(save_all=True, append_images=[Image.new("RGB", (64, 48))]), None),
        "png with a damaged orientation": (png(2, 2, chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")), None),
        "png with a web page behind it": (good + b"<html><script>", None),
    }


def jpegs() -> Corpus:
    loop = struct.pack("<HHII", 0x8769, 4, 1, 8)
    turned = struct.pack("<HHIHH", 0x0112, 3, 1, 99, 0)
    far = struct.pack("<HHII", 0x0112, 2, 0xFFFFFFF, 0xFFFFFFF0)
    good = image("JPEG")
    return {
        "jpeg of 65,535 pixels a side": (jpeg(size=(65_535, 65_535)), "too_large"),
        "jpeg of no height": (jpeg(size=(64, 0)), BROKEN),
        "jpeg of more pixels than it has, which stay grey": (jpeg(size=(6000, 6000)), None),
        "jpeg of 1,000 scans": (scans(1000), BROKEN),
        "jpeg of 500,000 segments": (jpeg(segment(0xFE) * 500_000), BROKEN),
        "jpeg of 2,000,000 fill bytes": (jpeg(b"\xff" * 2_000_000), BROKEN),
        "jpeg without a frame": (good[:2] + segment(0xFE, b"x") + b"\xff\xd9", BROKEN),
        "jpeg without tables": (good[: good.find(b"\xff\xdb")] + good[good.find(b"\xff\xc0") :], BROKEN),
        "jpeg that ends where its scan begins": (good[: good.find(b"\xff\xda") + 2], BROKEN),
        "jpeg of a segment of no length": (jpeg(b"\xff\xe1\0\0"), BROKEN),
        "jpeg with garbage for metadata": (jpeg(segment(0xE1, b"Exif\0\0" + bytes(range(200)))), None),
        "jpeg whose metadata contains itself": (jpeg(exif(loop, 1, 8)), None),
        "jpeg turned by an unknown orientation": (jpeg(exif(turned, 1)), None),
        "jpeg whose orientation lies 4 GiB away": (jpeg(exif(far, 1)), None),
        "jpeg that says it is several": (jpeg(segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff" + bytes(30))), None),
        "jpeg of an empty scan, which stays grey": (
            good[: good.find(b"\xff\xda") + 14] + b"\xff\xd9",
            None,
        ),
        "jpeg of 26 scans": (scans(16), None),
    }


def gifs() -> Corpus:
    flood = b"!\xfe" + b"\x01a" * 3_000_000 + b"\0"
    return {
        "gif of 10,000 frames": (gif(1, 1, frame() * 10_000), None),
        "gif of no size": (gif(0, 0, frame(0, 0)), BROKEN),
        "gif of a screen of 65,535 a side": (gif(65_535, 65_535, frame()), "too_large"),
        "gif of a frame larger than its screen": (gif(1, 1, frame(65_535, 65_535)), "too_large"),
        "gif of a frame far outside of its screen": (gif(1, 1, frame(1, 1_000, left=60_000)), "too_large"),
        "gif of a comment of 3,000,000 pieces": (gif(1, 1, flood, frame()), BROKEN),
        "gif of 1,000,000 empty comments": (gif(1, 1, b"!\xfe\0" * 1_000_000, frame()), BROKEN),
        "gif of unknown blocks": (gif(1, 1, b"?" * 3_000_000, frame()), BROKEN),
        "gif without a frame": (gif(4, 4), BROKEN),
        "gif of data that is no LZW": (gif(40, 40, frame(40, 40)[:10] + b"\x08\xff" + b"\xff" * 255 + b"\0"), BROKEN),
    }


def others() -> Corpus:
    still = image("WEBP")
    return {
        "webp of a canvas of 16,383 a side": (webp_canvas(16_383, 16_383), "too_large"),
        "webp of 2,000 frames": (webp_canvas(4, 4, frames=2000), None),
        "webp of a frame larger than its canvas": (webp_canvas(2, 2), BROKEN),
        "webp of an unknown kind": (still[:12] + b"VP9 " + still[16:], BROKEN),
        "webp whose frame does not begin": (flipped(still, 23), BROKEN),
        "bmp of 2^31 - 1 pixels a side": (bmp((1 << 31) - 1, -(1 << 31) + 1), "too_large"),
        "bmp of no width": (bmp(0, 5), BROKEN),
        "bmp of a negative width": (bmp(-5, 5), BROKEN),
        "bmp of runs": (bmp(4000, 4000, compression=1, depth=8, body=b"\1\1" * 1_000_000), BROKEN),
        "bmp around a jpeg": (bmp(4, 4, compression=4, body=image("JPEG")), BROKEN),
        "bmp of an unknown header": (bmp(4, 4, header=7, body=bytes(48)), BROKEN),
        "bmp of 3 bits a pixel": (bmp(4, 4, depth=3, body=bytes(48)), BROKEN),
        "bmp without its pixels": (bmp(4000, 4000), BROKEN),
    }


FILES: Corpus = truncated() | foreign() | pngs() | jpegs() | gifs() | others()


@pytest.fixture(scope="session")
def files() -> Corpus:
    """The whole corpus."""
    return FILES


@pytest.fixture(params=FILES)
def hostile(request: pytest.FixtureRequest) -> tuple[bytes, str | None]:
    """One file of the corpus, and the code of its reason."""
    return FILES[request.param]


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """``picture(kind, size)``: a good image of noise."""
    return image


RECIPES = """
rewards:
  looks: {components: {sight: {score: pictures}}}
  words: {components: {brevity: {score: length_penalty, params: {free_words: 1, per_word: 1}}}}
  chosen:
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      sight: {score: pictures, when: {right: {at_least: 1}}, otherwise: -1}
    combine: weighted_sum
  twice:
    components:
      whole: {score: pictures, when: {has: features.right}, otherwise: 0}
      answer: {score: pictures, text: final}
    combine: weighted_sum
  apart:
    components:
      one: {score: pictures, when: {has: features.right}, otherwise: 0}
      two: {score: pictures, text: final, when: {has: features.left}, otherwise: 0}
    combine: weighted_sum
  share: {components: {first: {score: pictures}, sight: {score: pictures, when: {sample: 0.5}, audit: true}}}
  episode:
    components:
      right: {score: given, inputs: {value: {feature: right}}}
      steps:
        score: frame_progress
        params: {model: pictures}
        transforms: [{aggregate: {how: max}}]
        when: {right: {at_least: 1}}
        otherwise: -1
    combine: weighted_sum
default: looks
"""


@dataclass
class Pictures:
    """A model that scores an image by its width, once it has decoded it, and several by their sum."""

    seen: list[list[bytes]] = field(default_factory=list)

    async def models(self) -> list[ModelInfo]:
        return [await self.info("pictures")]

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo("pictures", "1", True, ("images", "frames"), ("width",), 1024)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        return await asyncio.to_thread(self._score, batch, rows)

    def _score(self, batch: Batch, rows: list[int]) -> ModelAnswer:
        answer = ModelAnswer(np.full((len(rows), 1), np.nan), calls=1, version="1")
        for k, row in enumerate(rows):
            media = [*(batch.images or [[]] * batch.size)[row], *(batch.frames or [[]] * batch.size)[row]]
            self.seen.append([item.data or b"" for item in media])
            try:
                answer.values[k] = sum(decode_image(data).width for data in self.seen[-1])
            except ImageError as error:
                code, _, sentence = str(error).partition(": ")
                answer.invalid[k] = Invalid(code, sentence)  # type: ignore[arg-type]
        return answer

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


@dataclass
class Served:
    """The application with everything behind it."""

    client: httpx.AsyncClient
    gateway: Gateway
    models: Pictures
    telemetry: Telemetry
    settings: Settings

    async def results(self, samples: list[dict[str, Any]], **body: Any) -> list[dict[str, Any]]:
        """Score samples; the request itself must succeed."""
        answer = await self.client.post("/v1/score", json={"samples": samples, **body})
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results


@asynccontextmanager
async def serving(fetching: dict[str, Any] | None = None, **given: Any) -> AsyncIterator[Served]:
    settings = Settings(**given)
    telemetry, models = Telemetry(), Pictures()
    fetcher = Fetcher.of(settings, telemetry.metrics, **(fetching or {})) if settings.media_urls else None
    media = Intake(MediaLimits.of(settings), fetcher)
    known = {"pictures": KnownModel(("images", "frames"))}
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(1000, 60)), known_models=known, media=media)
    gateway = Gateway(load_book(RECIPES, known), runtime, telemetry.metrics)
    app = create_app(gateway, settings, telemetry, Traffic.of(settings))
    async with HttpContract(app).client(timeout=60) as client:
        try:
            yield Served(client, gateway, models, telemetry, settings)
        finally:
            await runtime.close()


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Served]]:
    """``async with serve(max_images=2) as served``; ``fetching`` goes to the fetcher."""
    return serving
