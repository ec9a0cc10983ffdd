"""text_rendering on texts that Pillow draws: is what was drawn read, and do small misspellings cost?

Nothing is trained. ``plain`` images are black on white, upright; ``varied`` ones differ in colour, size, place and
angle. Each is scored against its own text, a text in which two letters are changed, and another image's text.
"""

import io
from functools import partial
from pathlib import Path

import msgpack
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reward_models.evaluate.part import Entry, Part
from reward_models.evaluate.subject import Subject

TEXTS = (
    "OPEN DAILY",
    "Fresh Bread",
    "Happy Birthday, Ann!",
    "50% off today",
    "Route 66",
    "No parking",
    "Welcome home",
    "Gate 12B",
    "The quick brown fox",
    "Sale ends Monday",
    "Coffee & Cake",
    "Wet floor",
    "Grand Opening",
    "Vote for Kim",
    "Chapter Seven",
    "Room 404",
    "Do not disturb",
    "Est. 1987",
    "Jazz Night",
    "Farm to Table",
    "Exit only",
    "Mind the gap",
    "Hotel Bristol",
    "Season's Greetings",
)
COLOURS = (("black", "white"), ("white", "navy"), ("yellow", "darkgreen"), ("darkred", "beige"), ("white", "black"))


def draw_text(text: str, size: int = 36, angle: float = 0, ink: str = "black", paper: str = "white") -> bytes:
    """A text in the middle of 512 x 320 pixels, in Pillow's own font, as PNG."""
    image = Image.new("RGB", (512, 320), paper)
    ImageDraw.Draw(image).text((256, 160), text, fill=ink, font=ImageFont.load_default(size), anchor="mm")
    buffer = io.BytesIO()
    image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper).save(buffer, "PNG")
    return buffer.getvalue()


def misspell_text(text: str) -> str:
    """A text in which two letters, a third and two thirds in, are the next ones of the alphabet."""
    places = [index for index, letter in enumerate(text) if letter.isalnum()]
    changed = list(text)
    for place in (places[len(places) // 3], places[2 * len(places) // 3]):
        changed[place] = (
            "a" if changed[place] in "zZ" else "0" if changed[place] == "9" else chr(ord(changed[place]) + 1)
        )
    return "".join(changed)


def list_parts(subject: Subject) -> list[Part]:
    """Plain and varied images, where chance is that one text wins over another, and an empty one."""
    shown = {"exact": None, "own": "other_text", "own_over_misspelt": 0.5, "own_over_other": 0.5}
    return [
        Part("plain", partial(measure_rendered, subject, False), shown, count="images"),
        Part("varied", partial(measure_rendered, subject, True), shown, count="images"),
        Part("blank_image", partial(measure_blank, subject), {"own": None}, count="images"),
    ]


def measure_rendered(subject: Subject, vary: bool, data: Path | None) -> Entry:
    """Scores against the own text (and the share that is exactly 1), a misspelt one, and another's."""
    drawn = [draw_varied(index, text) if vary else draw_text(text) for index, text in enumerate(TEXTS)]
    packed = [msgpack.packb([image]) for image in drawn]

    def scores(wanted: list[str]) -> NDArray[np.float64]:
        return subject.require_scores(prompt=[f'A sign that says "{text}".' for text in wanted], images=packed)[:, 0]

    own, wrong = scores(list(TEXTS)), scores([misspell_text(text) for text in TEXTS])
    other = scores([*TEXTS[1:], TEXTS[0]])
    return {
        "exact": round(float((own == 1).mean()), 3),
        "own": round(float(own.mean()), 3),
        "misspelt": round(float(wrong.mean()), 3),
        "other_text": round(float(other.mean()), 3),
        "own_over_misspelt": round(float(np.mean(own > wrong)), 3),
        "own_over_other": round(float(np.mean(own > other)), 3),
        "images": len(drawn),
    }


def draw_varied(index: int, text: str) -> bytes:
    """A text in one of five colours, 16 to 36 points, turned by up to 16 degrees."""
    return draw_text(text, 16 + 4 * (index % 6), (index % 5 - 2) * 8.0, *COLOURS[index % 5])


def measure_blank(subject: Subject, data: Path | None) -> Entry:
    """The score of an image without a text."""
    scores = subject.require_scores(prompt=['"OPEN"'], images=[msgpack.packb([draw_text("")])])
    return {"own": float(scores[0, 0]), "images": 1}
