"""Models that an engine runs rather than ONNX Runtime: the plan of the graph, with the checkpoint in its place."""

import dataclasses
import shutil
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

from reward_models.convert import verify
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan
from reward_models.convert.tensors import find_files, list_tensors
from reward_models.convert.weight_loading import WeightLoading
from reward_models.repository.files import hash_file, link_file

LARGEST_GRAPH = 1_000_000_000
"""Parameters above which ``auto`` takes torch: an export holds several times the weights in memory."""

PATTERNS = ("*.json", "*.jinja", "*.model", "*.txt")
LEFT_OUT = ("trainer_state", "all_results", "train_results", "eval_results", "adapter_")
"""Beginnings of the names of files that no score depends on."""

OF_LOADING = ("engine", "dtype", "revision", "trust_remote_code", "link", "base")
OF_READING = ("max_length", "truncate")
"""Options that the card holds elsewhere, and those that are settled in its settings."""


def choose_engine(checkpoint: Checkpoint, options: Options) -> tuple[str, str]:
    """The engine to try first, and why if the user left it to us."""
    if options.engine != "auto":
        return options.engine, ""
    if options.trust_remote_code:
        return "torch", "its own code is to be run, which does not become a graph"
    if (parameters := count_parameters(checkpoint.folder)) > LARGEST_GRAPH:
        return "torch", f"{parameters / 1e9:.1f} billion parameters are too many for a graph"
    return "onnx", ""


def count_parameters(folder: Path) -> int:
    """Numbers in all tensors of a checkpoint."""
    return sum(prod(info.shape) for info in list_tensors(folder).values())


def check_options(options: Options) -> None:
    """Raises Refused if an engine cannot do what the options ask for."""
    graph = options.engine == "onnx"
    dtypes = verify.TOLERANCES if graph else verify.ENGINE_TOLERANCES
    if options.dtype not in dtypes:
        raise Refused(
            f"--dtype is {options.dtype!r}: for the engine {options.engine}, give one of {', '.join(dtypes)}."
        )
    if graph and options.trust_remote_code:
        raise Refused("A graph holds no code of a checkpoint: --trust-remote-code needs --engine torch.")


def load_for(checkpoint: Checkpoint, options: Options) -> Checkpoint:
    """A checkpoint, loaded as the engine of the options runs it, or in float32 for a graph."""
    if options.engine == "onnx":
        return checkpoint
    return checkpoint.loaded_by(WeightLoading(options.dtype, attention="", trust_code=options.trust_remote_code))


def plan_engine(plan: Plan, checkpoint: Checkpoint, options: Options) -> Plan:
    """A plan whose network is run by the engine of the options.

    Args:
        plan: that of the graph.
        checkpoint: is copied into the model's folder, or linked.
        options: of ``models add``.

    Raises:
        Refused: the engine does not run networks of this kind.
    """
    engine = options.engine
    if plan.network is None:
        raise Refused(f"The engine {engine} runs networks over texts: --kind {options.kind} needs --engine onnx.")
    if engine == "vllm" and (options.kind != "sequence" or plan.settings["types"]):
        raise Refused(
            "The engine vllm runs sequence classifiers (--kind sequence) without token types: use --engine torch, or "
            "serve it with vLLM and name that server as an upstream."
        )
    network: dict[str, Any] = {
        "engine": engine,
        "dtype": options.dtype,
        "trust_remote_code": options.trust_remote_code,
        "options": pack_options(plan, options),
    }
    write_reading = plan.write_reading

    def write(folder: Path) -> None:
        write_reading(folder)
        place_files(checkpoint, options, folder)

    limits = [
        *plan.limits,
        *["Its own code is run (trust_remote_code), in the engine's process."] * options.trust_remote_code,
        *[f"In {options.dtype} a score differs by some thousandths between batches."] * (options.dtype != "float32"),
    ]
    settings = plan.settings | {"network": network}
    return dataclasses.replace(plan, settings=settings, write=write, limits=limits, kind=f"{plan.kind}, by {engine}")


def pack_options(plan: Plan, options: Options) -> dict[str, Any]:
    """What the engine has to know of the options to load the same network from the model's own folder."""
    said: dict[str, Any] = {}
    for field in dataclasses.fields(Options):
        value = getattr(options, field.name)
        if field.name not in (*OF_LOADING, *OF_READING, "template", "head") and value != field.default:
            said[field.name] = list(value) if isinstance(value, tuple) else value
    said["template"] = plan.settings.get("read", "chat")
    if options.head is not None:
        said["head"] = name_head(options.head)
    return said


def name_head(head: Path) -> str:
    """The name of a head's own file in a model's folder."""
    return f"head{head.suffix}"


def place_files(checkpoint: Checkpoint, options: Options, folder: Path) -> None:
    """Copy a checkpoint's files into a model's folder, or link them; those that are there already stay.

    Files of the hub's cache are always linked, as they never change.
    """
    link = options.link or bool(checkpoint.revision)
    for path in list_files(checkpoint, options.trust_remote_code):
        if not (folder / path.name).exists():
            place_file(path, folder / path.name, link)
    if options.head is not None:
        place_file(options.head, folder / name_head(options.head), link)


def place_file(source: Path, target: Path, link: bool) -> None:
    """Copy one file, or link it (where a file system forbids that, it is copied)."""
    source = source.resolve()
    if link:
        link_file(source, target, hash_file(source), source.name)
    else:
        shutil.copyfile(source, target)


def list_files(checkpoint: Checkpoint, code: bool) -> Iterable[Path]:
    """The files of a checkpoint on which scores depend: configuration, tokeniser, weights; its ``code`` if asked."""
    found = {path for pattern in (*PATTERNS, *["*.py"] * code) for path in checkpoint.folder.glob(pattern)}
    kept = {path for path in found if path.is_file() and not path.name.startswith(LEFT_OUT)}
    if any(path.name == "model.py" for path in kept):
        raise Refused("The checkpoint's code has a file model.py, which is the name of Triton's own: rename it.")
    return sorted({*kept, *find_files(checkpoint.folder)})
