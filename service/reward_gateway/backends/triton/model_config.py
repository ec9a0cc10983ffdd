"""Reads Triton's model configuration and checks it against the contract of a reward model.

A model follows the contract if it takes one string per row for each of its inputs and returns ``score`` FP32 [K].
Parameters of its configuration describe the rest: ``inputs``, ``dimensions``, ``flags``, ``content_version``, ``card``.
"""

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from tritonclient.grpc import model_config_pb2

from reward_gateway.backends.port import Device, ModelInfo
from reward_gateway.sample import split_version
from reward_gateway.sample.fields import FIELDS, MODEL_INPUTS

REQUIRED = frozenset(field.name for field in FIELDS if field.required)
"""Fields that a sample must have if a model reads them, unless the model marks them as optional."""

_STRING = model_config_pb2.TYPE_STRING
_FLOAT = model_config_pb2.TYPE_FP32


@dataclass(frozen=True, slots=True)
class TritonModel:
    """A model on a Triton server.

    Attributes:
        info: the model as the gateway sees it.
        triton_version, content_version: the parts of ``info.version``.
        tensors: inputs that the configuration declares.
        required: fields that a row must have; in the ``inputs`` parameter a trailing ``?`` marks an optional one.
        outputs: outputs to request.
        fault: why the model cannot be used for scores; empty if it follows the contract.
        read: its configuration is known; a model that was never loaded has none.
        pinned: it is requested by its version, ``NAME@VERSION``.
    """

    info: ModelInfo
    triton_version: str
    content_version: str = ""
    tensors: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    outputs: tuple[str, ...] = ()
    fault: str = ""
    read: bool = True
    pinned: bool = False

    @property
    def width(self) -> int:
        """K, how many numbers a score has."""
        return len(self.info.dimensions)

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return split_version(self.info.name)[0]

    @property
    def signature(self) -> tuple[Hashable, ...]:
        """What rows are written by and answers read by: servers with the same one can answer each other's calls."""
        info = self.info
        pinned = self.triton_version if self.pinned else ""
        return info.inputs, info.dimensions, info.flags, self.tensors, self.required, self.outputs, self.fault, pinned

    def pin_version(self) -> Self:
        """The same model, requested by its version."""
        info = replace(self.info, name=f"{self.info.name}@{self.triton_version}", versions=())
        return replace(self, info=info, pinned=True)

    def with_versions(self, versions: Iterable[str], expected: Iterable[str] = ()) -> Self:
        return replace(self, info=replace(self.info, versions=tuple(versions), expected=tuple(expected)))

    def with_ready(self, ready: bool) -> Self:
        return replace(self, info=replace(self.info, ready=ready))


def version_of(triton_version: str, content_version: str) -> str:
    """The version in answers and cache keys: of the weights, the tokenizer and the template together."""
    return f"{triton_version}-{content_version}" if content_version else triton_version


def unread_model(name: str, triton_version: str, *, wanted: bool) -> TritonModel:
    """A model that is in the index but not loaded, so that its configuration is unknown."""
    info = ModelInfo(name, triton_version, ready=False, inputs=(), dimensions=(), max_batch=0, wanted=wanted)
    return TritonModel(info, triton_version, read=False)


def read_config(config: "model_config_pb2.ModelConfig", triton_version: str, ready: bool) -> TritonModel:
    """Read a model from its configuration. One that does not follow the contract is returned with its ``fault``."""
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    tensors = frozenset(tensor.name for tensor in config.input)
    named = _split_names(parameters.get("inputs", "")) or tuple(name for name in MODEL_INPUTS if name in tensors)
    inputs = tuple(name.rstrip("?") for name in named)
    outputs = {tensor.name: tensor for tensor in config.output}
    width = int(outputs["score"].dims[0]) if "score" in outputs and len(outputs["score"].dims) == 1 else 0
    dimensions = _split_names(parameters.get("dimensions", "")) or _number_dimensions(width)
    content_version = _version_parameter(parameters, "content_version", triton_version)
    info = ModelInfo(
        name=config.name,
        version=version_of(triton_version, content_version),
        ready=ready,
        inputs=inputs,
        dimensions=dimensions,
        max_batch=config.max_batch_size,
        flags=_split_names(parameters.get("flags", "")),
        vector="vector" in outputs,
        card=_parse_card(_version_parameter(parameters, "card", triton_version)),
        device=_read_device(config),
    )
    return TritonModel(
        info,
        triton_version,
        content_version,
        tensors,
        required=frozenset(name for name in named if not name.endswith("?")) & REQUIRED,
        outputs=tuple(name for name in ("score", "flags", "error", "vector") if name in outputs),
        fault=_find_contract_fault(config, inputs, tensors, dimensions, width),
    )


def _find_contract_fault(
    config: "model_config_pb2.ModelConfig",
    inputs: tuple[str, ...],
    tensors: frozenset[str],
    dimensions: tuple[str, ...],
    width: int,
) -> str:
    score = next((tensor for tensor in config.output if tensor.name == "score"), None)
    undeclared = [name for name in inputs if name not in tensors]
    strange = [name for name in inputs if name not in MODEL_INPUTS]
    other = [tensor.name for tensor in config.input if tensor.name not in inputs and not tensor.optional]
    if score is None or score.data_type != _FLOAT or width < 1:
        return "it has no output 'score' of type FP32 with a fixed dimension [K]"
    if len(dimensions) != width:
        return f"its parameter 'dimensions' names {len(dimensions)} numbers, its output 'score' has {width}"
    if config.max_batch_size < 1:
        return "its max_batch_size is 0, so it takes no batches of rows"
    if not inputs or strange or undeclared:
        named = ", ".join(strange or undeclared) or "nothing"
        return f"it reads {named}; a reward model reads declared inputs among {', '.join(MODEL_INPUTS)}"
    if other:
        return f"it needs inputs that samples do not have: {', '.join(other)}"
    if any(tensor.data_type != _STRING or list(tensor.dims) != [1] for tensor in config.input if tensor.name in inputs):
        return "its inputs are not all of type STRING with dimensions [1]"
    return ""


def _read_device(config: "model_config_pb2.ModelConfig") -> Device:
    """The device from the instance groups, as completed by the server; usually there is one group."""
    groups = config.instance_group
    if not groups:
        return Device()
    kinds = {
        model_config_pb2.ModelInstanceGroup.Kind.Name(group.kind).removeprefix("KIND_").lower() for group in groups
    }
    gpus = sorted({gpu for group in groups if group.kind == group.KIND_GPU for gpu in group.gpus})
    return Device("+".join(sorted(kinds)), tuple(gpus), sum(group.count for group in groups))


def _version_parameter(parameters: Mapping[str, str], key: str, triton_version: str) -> str:
    """A parameter of one version: ``card.2`` if the configuration has it, otherwise ``card``."""
    return parameters.get(f"{key}.{triton_version}", parameters.get(key, ""))


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number_dimensions(width: int) -> tuple[str, ...]:
    return ("score",) if width == 1 else tuple(f"score_{k}" for k in range(width))


def _parse_card(text: str) -> dict[str, Any]:
    try:
        card = json.loads(text or "{}")
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}
