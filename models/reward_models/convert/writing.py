"""Writes a model's folder: card, configuration and ``model.py``."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan
from reward_models.convert.tensors import find_files
from reward_models.convert.verify import Measured
from reward_models.repository import card as cards
from reward_models.repository import config
from reward_models.repository.card import CARD, CONFIG
from reward_models.repository.files import hash_file

MODEL = '''"""{name} in Triton; what it is stands in card.yaml."""

from reward_models.runtime.{module} import {scorer}
from reward_models.runtime.triton import served

TritonPythonModel = served({scorer})
'''

CONFIGURATION = """# Made by `reward-gateway models add`; card.yaml says what the score means.
name: "{name}"
backend: "python"
max_batch_size: {max_batch}

input [
{inputs}
]
output [
  {{ name: "score" data_type: TYPE_FP32 dims: [ {width} ] }},
  {{ name: "flags" data_type: TYPE_UINT32 dims: [ 1 ] }},
  {{ name: "error" data_type: TYPE_STRING dims: [ 1 ] }}{vector}
]

# {devices}
instance_group [ {{ count: 1 kind: KIND_CPU }} ]

# Requests that wait together become one batch. There is no queue policy, on purpose: see text_preference.
dynamic_batching {{ }}
"""

GRAPH_DEVICES = (
    "KIND_GPU (with onnxruntime-gpu in Triton's environment) moves the network onto the GPU; nothing else changes."
)
ENGINE_DEVICES = (
    "KIND_GPU moves the network onto that GPU, KIND_MODEL spreads it over all GPUs (torch needs `accelerate` for that)."
)

VECTOR = """,
  # Numbers of the parts of a row, little-endian float32, side by side. Empty where error is not.
  { name: "vector" data_type: TYPE_STRING dims: [ 1 ] }"""


def write_files(folder: Path, name: str, plan: Plan) -> None:
    """Write ``model.py`` and ``config.pbtxt``; :func:`write_card` adds the card."""
    module, scorer = plan.scorer
    (folder / "model.py").write_text(MODEL.format(name=name, module=module, scorer=scorer), "utf-8")
    inputs = (
        f'  {{ name: "{tensor}" data_type: TYPE_STRING dims: [ 1 ]{" optional: true" * (tensor in plan.optional)} }}'
        for tensor in plan.inputs
    )
    configuration = CONFIGURATION.format(
        name=name,
        max_batch=plan.max_batch,
        inputs=",\n".join(inputs),
        devices=ENGINE_DEVICES if "network" in plan.settings else GRAPH_DEVICES,
        width=len(plan.dimensions),
        vector=VECTOR if plan.vector else "",
    )
    (folder / CONFIG).write_text(configuration, "utf-8")


def write_card(
    folder: Path, name: str, plan: Plan, checkpoint: Checkpoint, options: Options, measured: Measured
) -> None:
    """Write the card of a checked folder, and stamp the configuration with it."""
    import torch
    import transformers

    by_engine = "network" in plan.settings
    content: dict[str, Any] = {
        "name": name,
        "summary": plan.summary,
        "kind": plan.kind,
        "inputs": plan.inputs,
        "dimensions": plan.dimensions,
        "flags": plan.flags,
        **({"range": list(plan.range)} if plan.range else {}),
        **({"vector": plan.vector} if plan.vector else {}),
        "quality": {},
        "method": plan.method,
        "source": {
            "checkpoint": checkpoint.called,
            "revision": checkpoint.revision or "a local folder",
            # An engine's files are the checkpoint's own, and their hashes stand below.
            **(
                {} if by_engine else {"weights": {path.name: hash_file(path) for path in find_files(checkpoint.folder)}}
            ),
            "head": options.head.name if options.head else "in the checkpoint",
        },
        "conversion": {
            "difference_to_torch": float(f"{measured.to_torch:.2g}"),
            "difference_between_batches": float(f"{measured.between_batches:.2g}"),
            "spread_of_scores": float(f"{measured.spread:.2g}"),
            "rows": measured.rows,
            "refused_by_both": measured.refused,
            "dtype": options.dtype,
            "torch": str(torch.__version__),
            "transformers": str(transformers.__version__),
            "day": datetime.datetime.now().astimezone().date().isoformat(),
        },
        "limits": plan.limits,
        "licence": checkpoint.licence,
        "settings": plan.settings,
        "files": {path.name: {"sha256": hash_file(path)} for path in list_scoring_files(folder)},
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=118)
    (folder / CARD).write_text(text, "utf-8")
    config.stamp_config(folder, cards.read_card(folder))


def list_scoring_files(folder: Path) -> Iterable[Path]:
    """The files on which a score depends."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name not in (CARD, CONFIG, "model.py"))
