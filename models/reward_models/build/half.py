"""A model in half precision, as a version of its own: ``python -m reward_models.build.half NAME``.

Half precision gives other scores, so it is no mode of a server but the model's next version: its graphs have other
hashes and its card says ``precision: fp16``, so that its scores never meet those of float32 in a cache; both can be
served side by side, compared on live traffic and rolled back. What sums or divides stays in float32, and so do a
graph's inputs and outputs. It pays on a GPU; a CPU has no arithmetic for it.

Needs ``onnx`` (the dependency group ``train``). The version is refused where its scores or their
order are not those of the model.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from reward_models.repository import REPOSITORY, RepositoryError, versions
from reward_models.repository import card as cards
from reward_models.repository.card import CARD, CONFIG, VERSION_FOLDER
from reward_models.repository.files import hash_file

FLOAT32_OPERATORS = (
    "LayerNormalization",
    "Softmax",
    "ReduceMean",
    "ReduceSum",
    "ReduceL2",
    "Pow",
    "Sqrt",
    "Div",
    "Exp",
    "Log",
)
"""Operators that stay in float32: sums over many numbers, and what overflows at 65,504."""

LEAST_ORDER, MOST_DIFFERENCE = 0.99, 0.05
"""Required share of pairs of samples in the same order, and largest difference from float32's scores, in standard
deviations."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Half precision compared with float32, over n samples.

    Attributes:
        difference: the largest of a score, in standard deviations of the scores in float32.
        order: share of the pairs of samples that stand in the same order, of those that float32 tells apart.
    """

    samples: int
    difference: float
    order: float


def compute_agreement(full: NDArray[np.float32], half: NDArray[np.float32]) -> Agreement:
    """Compare scores [n, K] of the same samples; the worst of the K dimensions counts."""
    difference, order = 0.0, 1.0
    for a, b in zip(full.T.astype(np.float64), half.T.astype(np.float64), strict=True):
        upper = np.triu_indices(len(a), 1)
        before, after = (np.subtract.outer(side, side)[upper] for side in (a, b))
        apart = np.abs(before) > 1e-6
        if apart.any():
            order = min(order, float((np.sign(before) == np.sign(after))[apart].mean()))
            difference = max(difference, float(np.abs(a - b).max() / a.std()))
    return Agreement(len(full), difference, order)


def convert_graph(graph: Path, target: Path) -> set[str]:
    """Write a graph in half precision, its weights inside.

    Returns:
        Names of the files that the weights were in, which the new graph does not need.

    Raises:
        RepositoryError: its weights already have fewer bits.
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = onnx.load(str(graph), load_external_data=False)
    if any(node.op_type == "MatMulNBits" for node in model.graph.node):
        raise RepositoryError(f"{graph.name} has weights of four bits: there is nothing to halve.")
    held = {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    with tempfile.TemporaryDirectory(prefix="reward-models-") as folder:
        for name in (graph.name, *held):  # onnx opens no file that is linked elsewhere, as files of a repository are
            shutil.copy(graph.parent / name, folder)
        model = onnx.load(str(Path(folder) / graph.name))
    half = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *FLOAT32_OPERATORS]
    )
    onnx.save(half, str(target))
    return held


def stage_half(repository: Path, name: str, staging: Path) -> None:
    """Make a folder of the model in half precision: ``card.yaml``, ``config.pbtxt`` and every file in ``1/``.

    Raises RepositoryError if the model is not built, or cannot be halved.
    """
    folder = repository / name
    card = cards.read_card(folder)
    files = staging / VERSION_FOLDER
    files.mkdir(parents=True)
    graphs = [file.name for file in card.files if file.name.endswith(".onnx")]
    if not graphs:
        raise RepositoryError(f"{name} has no graph.")
    inside: set[str] = set()
    for graph in graphs:
        inside |= convert_graph(folder / VERSION_FOLDER / graph, files / graph)
    entries: dict[str, dict[str, str]] = {graph: {"sha256": hash_file(files / graph)} for graph in graphs}
    for file in card.files:
        if file.name not in entries and file.name not in inside:
            shutil.copy(folder / VERSION_FOLDER / file.name, files)
            entries[file.name] = {"sha256": file.sha256}
    shutil.copy(folder / VERSION_FOLDER / "model.py", files)
    shutil.copy(folder / CONFIG, staging)
    content = card.content | {"settings": card.content["settings"] | {"precision": "fp16"}, "files": entries}
    write_card(staging, content)


def write_card(staging: Path, card: dict[str, Any]) -> None:
    """Write the card of a staged folder."""
    (staging / CARD).write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True), "utf-8")


def compare_scores(repository: Path, name: str, staged: Path, samples: int) -> Agreement:
    """Score samples of the model's inputs with both versions."""
    from reward_models.evaluate.inputs import make_columns
    from reward_models.evaluate.subject import Subject

    full, half = Subject(name, repository), Subject(name, staged)
    given = make_columns(full.card.content["inputs"], samples)
    answers = [subject.score_columns(**given) for subject in (full, half)]
    if any(answer.errors for answer in answers):
        raise RepositoryError(f"{name} could not score the samples for the comparison.")
    return compute_agreement(answers[0].scores, answers[1].scores)


def main() -> int:
    """0 if the version was published, 1 with a sentence on the error stream otherwise."""
    parser = argparse.ArgumentParser(prog="reward_models.build.half", description=str(__doc__).partition("\n")[0])
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--samples", type=int, default=64, help="samples to compare the two on")
    parser.add_argument("--dry-run", action="store_true", help="convert and compare, but do not publish")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reward-models-") as draft:
        staging = Path(draft) / arguments.name
        try:
            stage_half(arguments.repository, arguments.name, staging)
            found = compare_scores(arguments.repository, arguments.name, Path(draft), arguments.samples)
            print(
                f"{arguments.name}: over {found.samples} samples, {found.order:.2%} of pairs in the order of float32, "
                f"largest difference {found.difference:.1e} standard deviations"
            )
            if found.order < LEAST_ORDER or found.difference > MOST_DIFFERENCE:
                raise RepositoryError(f"{arguments.name} does not hold in half precision: nothing was published.")
            if not arguments.dry_run:
                card = cards.read_card(staging).content
                half = {
                    "samples": found.samples,
                    "order": round(found.order, 4),
                    "difference": float(f"{found.difference:.1e}"),
                }
                limits = [*card.get("limits", []), "The figures under `quality` are those of float32; see `half`."]
                write_card(staging, card | {"half": half, "limits": limits})
                number = versions.publish_version(arguments.repository, arguments.name, staging)
                print(f"{arguments.name}@{number} is published")
        except RepositoryError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
