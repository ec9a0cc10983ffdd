"""Measure text_rendering on texts that Pillow draws: is what was drawn read, and do small misspellings cost?

    python -m reward_models.train.rendering

Nothing is trained. ``plain`` images are black on white, upright; ``varied`` ones differ in colour, size, place and
angle. Each is scored against its own text, a text in which two letters are changed, and another image's text. Writes
``evaluation.json`` into the model's folder, and the figures into its card.
"""

import argparse
import io
import json
import re
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reward_models.build import REPOSITORY, stamp
from reward_models.build import card as cards
from reward_models.runtime.instance import Instance
from reward_models.runtime.rendering import RenderingScorer
from reward_models.runtime.session import Device

NAME = "text_rendering"

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

NEXT = {"z": "a", "Z": "A", "9": "0"}


def draw(text: str, size: int = 36, angle: float = 0, ink: str = "black", paper: str = "white") -> bytes:
    """A text in the middle of 512 x 320 pixels, in Pillow's own font, as PNG."""
    image = Image.new("RGB", (512, 320), paper)
    ImageDraw.Draw(image).text((256, 160), text, fill=ink, font=ImageFont.load_default(size), anchor="mm")
    buffer = io.BytesIO()
    image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper).save(buffer, "PNG")
    return buffer.getvalue()


def misspelt(text: str) -> str:
    """A text in which two letters, a third and two thirds in, are the next ones of the alphabet."""
    places = [index for index, letter in enumerate(text) if letter.isalnum()]
    changed = list(text)
    for place in (places[len(places) // 3], places[2 * len(places) // 3]):
        changed[place] = (
            "a" if changed[place] in "zZ" else "0" if changed[place] == "9" else chr(ord(changed[place]) + 1)
        )
    return "".join(changed)


def figures(scorer: RenderingScorer, drawn: list[bytes]) -> dict[str, float]:
    """Scores against the own text (and the share that is exactly 1), a misspelt one, and another's."""

    def scores(wanted: list[str]) -> Any:
        prompts = [f'A sign that says "{text}".'.encode() for text in wanted]
        return scorer.score(
            {"prompt": prompts, "images": [msgpack.packb([image]) for image in drawn]}, len(drawn)
        ).scores

    own, wrong = scores(list(TEXTS)), scores([misspelt(text) for text in TEXTS])
    other = scores([*TEXTS[1:], TEXTS[0]])
    return {
        "exact": round(float((own == 1).mean()), 3),
        "own": round(float(own.mean()), 3),
        "misspelt": round(float(wrong.mean()), 3),
        "other_text_baseline": round(float(other.mean()), 3),
        "own_over_misspelt": round(float(np.mean(own > wrong)), 3),
        "own_over_other": round(float(np.mean(own > other)), 3),
        "images": len(drawn),
    }


def evaluate(scorer: RenderingScorer) -> dict[str, Any]:
    """Figures of plain and of varied images, and the score of an empty one."""
    varied = [
        draw(text, 16 + 4 * (index % 6), (index % 5 - 2) * 8.0, *COLOURS[index % 5]) for index, text in enumerate(TEXTS)
    ]
    empty = scorer.score({"prompt": [b'"OPEN"'], "images": [msgpack.packb([draw("")])]}, 1).scores[0, 0]
    return {
        "plain": figures(scorer, [draw(text) for text in TEXTS]),
        "varied": figures(scorer, varied),
        "blank_image": {"own": float(empty)},
    }


def measure(repository: Path) -> dict[str, Any]:
    """Measure and write the evaluation; returns it."""
    model = repository / NAME
    content = cards.read(model).content
    instance = Instance(model / cards.VERSION_FOLDER, ("rendering",), tuple(content["flags"]), content, Device())
    report = {"rendered": evaluate(RenderingScorer(instance))}
    (model / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    lines = [f"  {name}: {json.dumps(entry).replace(chr(34), '')}\n" for name, entry in report["rendered"].items()]
    card = model / cards.CARD
    text = card.read_text("utf-8")
    card.write_text(re.sub(r"^quality:[^\n]*\n(?: [^\n]*\n)*", "quality:\n" + "".join(lines), text, flags=re.MULTILINE))
    stamp(NAME, repository)
    return report


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description="Measure text_rendering.")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    print(json.dumps(measure(parser.parse_args().repository), indent=1))


if __name__ == "__main__":
    main()
