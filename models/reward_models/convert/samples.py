"""The rows that every conversion is checked on: short and long, several languages, turns, images of several shapes."""

import io
import json

import msgpack
import numpy as np
from PIL import Image

from reward_models.convert.plan import Row

EXCHANGES = (
    ("What is the capital of France?", "Paris."),
    ("Is 91 a prime number?", "No.\n\n91 is 7 times 13.\n\nSo it has divisors other than 1 and itself."),
    ("", "An answer to nothing that was asked."),
    ("Nenne drei Städte an der Elbe.", "Dresden, Magdeburg und Hamburg – größer wird keine."),
    ("日本の首都はどこですか。", "東京です。🗼"),
    ("Write a loop.", "```python\nfor i in range(3):\n    print(i)\n```\n\nIt prints\t0, 1 and 2.\n\n"),
    ("Why does ice float?", "Ice is less dense than water. " * 12),
    ("Explain rainbows, please.  ", " Light bends in each drop, and each colour bends by its own angle.\n\n" * 6),
)

TURNS = (
    [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hello. What can I do?"},
        {"role": "user", "content": "Add 17 and 25."},
        {"role": "assistant", "content": "17 + 25 = 42."},
    ],
    [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "What colour is snow?"},
        {"role": "assistant", "content": "White."},
    ],
)

WORDS = "Every day has its own weather, and none of them asks what was planned for it. "


def text_rows(limit: int) -> list[Row]:
    """Conversations as callers send them; one is over the limit where that costs little."""
    rows: list[Row] = [make_row(prompt, response) for prompt, response in EXCHANGES]
    rows += [{**make_row("", ""), "messages": json.dumps(turns).encode()} for turns in TURNS]
    if limit <= 1024:
        rows.append(make_row("Tell me about the weather.", WORDS * (limit // 8)))
    return rows


def step_rows(limit: int) -> list[Row]:
    """The same, and answers that the caller has cut, where no separator stands and where one does."""
    rows = [{**one, "steps": b""} for one in text_rows(limit)]
    cut = (
        ["First, 2 + 2 is 4.", "So it is even."],
        ["One line.\nAnother.", "Two\n\nparagraphs, one step.", "三つ目。"],
    )
    rows += [{**make_row("Is 2 + 2 even?", "".join(steps)), "steps": pack_steps(steps)} for steps in cut]
    return [*rows, {**rows[len(EXCHANGES)], "steps": pack_steps(["17 + 25", "is 42."])}]


def pack_steps(steps: list[str]) -> bytes:
    """Steps as the tensor contract has them."""
    return bytes(msgpack.packb([step.encode() for step in steps]))


def make_row(prompt: str, response: str) -> dict[str, bytes]:
    """A prompt and a response."""
    return {"prompt": prompt.encode(), "response": response.encode(), "messages": b""}


def image_rows() -> list[Row]:
    """Images, wide, high, square, small, with noise and with areas, and a prompt for each."""
    generator = np.random.default_rng(0)
    rows: list[Row] = []
    for (width, height), prompt in zip(
        ((320, 200), (150, 333), (224, 224), (40, 31), (301, 299)),
        ("a red square", "two cats on a sofa, oil painting", "noise", "東京の夜", "a long prompt of many words " * 20),
        strict=True,
    ):
        pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
        pixels[: height // 2, : width // 2] = generator.integers(0, 256, 3, np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        rows.append({"prompt": prompt.encode(), "images": msgpack.packb([file.getvalue()])})
    return rows
