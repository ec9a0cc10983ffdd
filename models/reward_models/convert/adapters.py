"""LoRA adapters of PEFT (Hu et al., 2022, arXiv:2106.09685), merged into a copy of the checkpoint they are for."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_models.convert.checkpoint import ADAPTER, Checkpoint, open_checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.tensors import WHOLE, find_files, list_tensors, read_header

if TYPE_CHECKING:
    import torch

TASKS = {"SEQ_CLS": "ForSequenceClassification", "TOKEN_CLS": "ForTokenClassification"}
"""PEFT's task -> end of the class's name that the merged weights are of."""

PLAIN: Mapping[str, Any] = {"peft_type": "LORA", "use_dora": False, "bias": "none", "layer_replication": None}
"""What this merges; another value of one of these is refused. LoRA's other choices are read."""

PART = re.compile(r"(.+)\.lora_([AB])\.(?:default\.)?weight")


@dataclass(frozen=True, slots=True)
class Adapter:
    """``folder`` with the adapter, its ``config``, and the ``file`` of its weights."""

    folder: Path
    config: Mapping[str, Any]
    file: Path

    def scale(self, module: str, rank: int) -> float:
        """What the product of a module's two matrices is multiplied with."""
        patterns: Mapping[str, float] = self.config.get("alpha_pattern") or {}
        alpha = next(
            (value for name, value in patterns.items() if re.fullmatch(rf"(.*\.)?({name})", module)),
            self.config["lora_alpha"],
        )
        return float(alpha) / (rank**0.5 if self.config.get("use_rslora") else rank)


def find_adapter(checkpoint: Checkpoint, base: str) -> Adapter | None:
    """The adapter in a checkpoint's folder; None if there is none.

    Raises:
        Refused: there is one and no ``base``, or it is of a kind that is not merged.
    """
    folder = checkpoint.folder
    if not (folder / ADAPTER).is_file():
        if base:
            raise Refused(f"--base is for adapters, and {folder} holds none ({ADAPTER}).")
        return None
    config = checkpoint.read_json(ADAPTER)
    trained_on = config.get("base_model_name_or_path") or "not named"
    if not base and any((folder / f"{name}{end}").is_file() for name in WHOLE for end in ("", ".index.json")):
        raise Refused(
            f"An adapter ({ADAPTER}) lies beside full weights, and nothing says whether they hold it: delete its files "
            f"if they do; if not, name the weights that it was trained on ({trained_on}) with --base, which may be "
            "this folder."
        )
    if not base:
        raise Refused(
            f"{folder} holds an adapter and no full weights: name the checkpoint that it was trained on ({trained_on}) "
            "with --base, a folder or a hub id, and it is merged."
        )
    if odd := [name for name, value in PLAIN.items() if config.get(name, value) != value]:
        said = ", ".join(f"{name}: {config[name]}" for name in odd)
        raise Refused(f"Only plain LoRA is merged, and {ADAPTER} says {said}: merge it with peft (merge_and_unload).")
    files = [folder / name for name in ("adapter_model.safetensors", "adapter_model.bin")]
    file = next((path for path in files if path.is_file()), None)
    if file is None:
        raise Refused(f"{folder} has {ADAPTER} and no adapter_model.safetensors: fetch the whole folder.")
    return Adapter(folder, config, file)


def merge_adapter(adapter: Adapter, base: Checkpoint, adapted: Checkpoint, folder: Path) -> Checkpoint:
    """Write the merged checkpoint to a folder, file by file: W + s·B·A, in float32 where an adapter changes W.

    Raises:
        Refused: the adapter changes tensors that the base does not have, or holds some of an unknown meaning.
    """
    from reward_models.convert import weights

    names = set(list_tensors(base.folder))
    pairs, whole = _sort_tensors(adapter, names, base)
    held = weights.load_file(adapter.file)
    index: dict[str, str] = {}
    for path in find_files(base.folder):
        tensors = weights.load_file(path)
        for name in tensors.keys() & pairs.keys():
            down, up = (held[part].float() for part in pairs[name])
            change = up @ down * adapter.scale(name.removesuffix(".weight"), down.shape[0])
            tensors[name] = tensors[name].float() + (change.T if adapter.config.get("fan_in_fan_out") else change)
        kept = {name: value for name, value in tensors.items() if name not in whole and not name.startswith("lm_head.")}
        index |= _save(kept, folder / f"merged-{path.stem}.safetensors")
    index |= _save({name: held[stored] for name, stored in whole.items()}, folder / "merged-whole.safetensors")
    (folder / f"{WHOLE[0]}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}), "utf-8")
    for origin in (base.folder, adapter.folder):
        for path in origin.iterdir():
            if path.suffix in (".json", ".jinja", ".model", ".txt", ".md") and not path.name.endswith(".index.json"):
                shutil.copy2(path, folder)
    (folder / ADAPTER).unlink()
    config = dict(base.config)
    if task := TASKS.get(str(adapter.config.get("task_type"))):
        stem = re.sub(r"(For[A-Z]\w*|Model|LMHeadModel)$", "", base.architecture)
        config["architectures"] = [stem + task]
        heads = [held[stored] for name, stored in whole.items() if held[stored].dim() == 2]
        if heads and not base.architecture.endswith(task):
            labels = {str(index): f"LABEL_{index}" for index in range(len(heads[-1]))}
            config |= {
                "num_labels": len(labels),
                "id2label": labels,
                "label2id": {v: int(k) for k, v in labels.items()},
            }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return open_checkpoint(
        folder, f"{adapted.called} on {base.called}", f"{adapted.revision or 'a local folder'}, merged"
    )


def _save(tensors: "Mapping[str, torch.Tensor]", path: Path) -> dict[str, str]:
    """Write tensors to a file; the file's name for each tensor."""
    from safetensors.torch import save_file

    if tensors:
        save_file({name: value.contiguous() for name, value in tensors.items()}, path, {"format": "pt"})
    return dict.fromkeys(tensors, path.name)


def _sort_tensors(
    adapter: Adapter, names: set[str], base: Checkpoint
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """The base's tensors with the adapter's two matrices for each, and the tensors that the adapter holds whole."""
    found: dict[str, dict[str, str]] = {}
    whole: dict[str, str] = {}
    odd: list[str] = []
    for stored in read_header(adapter.file):
        name = stored.removeprefix("base_model.model.")
        if part := PART.fullmatch(name):
            target = _place(f"{part[1]}.weight", names)
            odd += [] if target else [stored]
            found.setdefault(target, {})[part[2]] = stored
        elif ".lora_" in name:
            odd.append(stored)
        else:
            whole[re.sub(r"\.(modules_to_save|original_module)(\.default)?", "", name)] = stored
    odd += [name for name, parts in found.items() if len(parts) != 2]
    if odd:
        raise Refused(
            f"The adapter holds {', '.join(filter(None, odd[:4]))}, which has no place in {base.called}: is --base the "
            "checkpoint that it was trained on? If it is, merge it with peft (merge_and_unload)."
        )
    return {name: (parts["A"], parts["B"]) for name, parts in found.items()}, whole


def _place(name: str, names: set[str]) -> str:
    """A tensor's name in a base that may have been saved with or without the name of the backbone; empty if none."""
    ends = [held for held in names if held == name or held.endswith(f".{name}") or name.endswith(f".{held}")]
    return ends[0] if len(ends) == 1 else ""
