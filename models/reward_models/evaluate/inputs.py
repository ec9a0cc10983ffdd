"""Real inputs of every family, made on the spot: texts, titles, drawn pages and scenes, episodes of moving things.

What a model is given follows from what it says it reads, so that a model which is added is covered as it arrives.
"""

import base64
import io
import json
import random
from collections.abc import Iterable
from typing import Any

import msgpack
from PIL import Image, ImageDraw, ImageFont

Sample = dict[str, Any]

WORDS = ("water", "egg", "boil", "minutes", "cold", "peel", "salt", "please", "sorry", "cannot", "because", "never")
SIGNS = ("OPEN DAILY", "STOP", "Platform 9", "EXIT", "SALE", "No entry", "Room 204", "CAFE")
SCENES = ("a street sign", "a dog", "an orange", "a warplane", "a grand piano", "a lighthouse")
TASKS = ("push the puck to a goal", "open a drawer", "press a button from the top", "close a window")
KINDS = ("Show HN: ", "Ask HN: ", "")
COLOURS = ("white", "lightyellow", "lightblue", "mistyrose")


def make_samples(inputs: Iterable[str], count: int, seed: int = 7) -> list[Sample]:
    """Samples of what reads ``inputs``, no two alike, of very different lengths and sizes."""
    rng = random.Random(seed)
    reads = set(inputs)
    if "frames" in reads:
        return [make_episode(rng) for _ in range(count)]
    if "images" in reads:
        return [make_page(rng) for _ in range(count)]
    if "features" in reads:
        return [make_title(rng, index) for index in range(count)]
    return [make_exchange(rng, index) for index in range(count)]


def make_words(rng: random.Random, count: int) -> str:
    """So many words, in no order that means anything."""
    return " ".join(rng.choices(WORDS, k=count))


def make_exchange(rng: random.Random, index: int) -> Sample:
    """A question and an answer: of one word, of some dozens, and now and then over the limit of a model."""
    length = rng.choice((1, 3, 12, 12, 40, 120)) if index % 8 != 7 else 560
    return {"prompt": make_words(rng, rng.randint(0, 30)), "response": f"{index} {make_words(rng, length)}"}


def make_title(rng: random.Random, index: int) -> Sample:
    """A title, every second one with the hour and the day it was posted."""
    sample: Sample = {"response": f"{rng.choice(KINDS)}{make_words(rng, rng.randint(1, 14))} {index}"}
    return sample | ({"features": {"hour": rng.randrange(24), "weekday": rng.randrange(7)}} if index % 2 else {})


def make_page(rng: random.Random) -> Sample:
    """A sign on plain paper, as large as it comes, asked for by its text and by what it is."""
    sign = rng.choice(SIGNS)
    image = Image.new("RGB", (rng.randrange(200, 420), rng.randrange(120, 300)), rng.choice(COLOURS))
    place = image.width / 2, image.height / 2
    font = ImageFont.load_default(rng.randrange(18, 30))
    ImageDraw.Draw(image).text(place, sign, fill="black", font=font, anchor="mm")
    asked = sign if rng.random() < 0.7 else rng.choice(SIGNS)
    return {"prompt": f'{rng.choice(SCENES)} that says "{asked}"', "images": [encode_image(image)]}


def make_episode(rng: random.Random) -> Sample:
    """A block that is pushed over a table, some frames of it."""
    frames, x, speed = [], rng.randrange(10, 60), rng.randrange(5, 30)
    ground, block = rng.choice(("tan", "peru", "gray")), rng.choice(("red", "green", "blue"))
    for step in range(rng.randint(1, 5)):
        image = Image.new("RGB", (224, 224), ground)
        draw = ImageDraw.Draw(image)
        draw.rectangle((x + step * speed, 150, x + step * speed + 30, 180), fill=block)
        draw.line((112, 0, x + step * speed, 150), fill="black", width=6)
        frames.append(encode_image(image))
    return {"prompt": rng.choice(TASKS), "frames": frames}


def encode_image(image: Image.Image) -> str:
    """A PNG as base64, as JSON carries it."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode()


def make_recipe(model: str, dimensions: Iterable[str]) -> dict[str, Any]:
    """A recipe of all that a model says, a component each of its numbers, and their sum."""
    return {
        "description": f"Every number of {model}.",
        "components": {dimension: {"score": model, "dimension": dimension} for dimension in dimensions},
        "combine": "weighted_sum",
    }


def make_columns(inputs: Iterable[str], count: int, seed: int = 7) -> dict[str, list[bytes]]:
    """The same samples as the columns that a scorer takes, those that the model reads."""
    given = make_samples(inputs, count, seed)
    packed = {"images", "frames"}
    return {
        name: [pack_images(sample[name]) if name in packed else encode_field(sample.get(name, "")) for sample in given]
        for name in inputs
        if any(name in sample for sample in given)
    }


def pack_images(images: list[str]) -> bytes:
    """Images in base64 as the msgpack list of the tensor contract."""
    packed: bytes = msgpack.packb([base64.b64decode(image) for image in images])
    return packed


def encode_field(value: Any) -> bytes:
    """A text as it is, numbers by name as JSON."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()
