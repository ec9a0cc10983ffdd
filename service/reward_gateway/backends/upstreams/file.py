"""The file of upstreams: reward models on other servers, and the models of Triton pools that may have no server.

upstreams:
  skywork:
    protocol: vllm_classify
    dns: http://skywork-pool:8000
    model: Skywork/Skywork-Reward-V2-Llama-3.1-8B
    cold_start_s: 180
triton_models:
  deberta: {cold_start_s: 90}
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from reward_gateway.yaml_file import YamlFault, read_yaml

from ..fallbacks import explain_fallback
from ..triton.declared_models import DeclaredModel
from .config import UpstreamConfig
from .entry_parts import Part

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")

E = TypeVar("E")


class UpstreamsFileError(ValueError):
    """The file of upstreams cannot be used; each fault says which entry and why, and never repeats a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class UpstreamsFile(Part):
    """A whole file."""

    upstreams: dict[str, UpstreamConfig] = Field(
        default_factory=dict, description="Upstreams by the name that recipes use."
    )
    triton_models: dict[str, DeclaredModel] = Field(
        default_factory=dict,
        description="Models of Triton servers behind a name (`dns:///` in `triton_url`) that may have none at the "
        "moment, by the model's name on Triton.",
    )


def load_upstreams(path: Path | None) -> dict[str, UpstreamConfig]:
    """The upstreams of a file by name, in its order; none without a file. Raises as :func:`load_upstreams_file`."""
    return load_upstreams_file(path).upstreams


def load_upstreams_file(path: Path | None) -> UpstreamsFile:
    """All that a file holds, each in its order; nothing without a file.

    Relative paths of templates and tokenizers are those of the file's folder.

    Raises:
        UpstreamsFileError: the file cannot be read, or entries are invalid; every fault is listed.
    """
    if path is None:
        return UpstreamsFile()
    try:
        content = read_yaml(path)
    except YamlFault as error:
        raise UpstreamsFileError([f"the upstreams file cannot be read: {error}"]) from None
    if (
        not isinstance(content, dict)
        or not content
        or not UpstreamsFile.model_fields.keys() >= content.keys()
        or not all(isinstance(part, dict) for part in content.values())
    ):
        raise UpstreamsFileError(
            ["the upstreams file must hold one mapping named upstreams, and may hold one named triton_models"]
        )
    faults: list[str] = []

    def read_upstream(entry: Any) -> UpstreamConfig:
        return UpstreamConfig.model_validate(entry).read_files(path.parent)

    upstreams = _read_entries("upstreams", content, read_upstream, faults)
    triton_models = _read_entries("triton_models", content, DeclaredModel.model_validate, faults)
    faults += [f"triton_models.{name}: is an upstream, too" for name in triton_models if name in upstreams]
    fallbacks = {name: config.fallback for name, config in upstreams.items()}
    for name in upstreams:
        if not faults and (circle := explain_fallback(name, fallbacks, others=True)):
            faults.append(f"upstreams.{name}.fallback: {circle}")
    if faults:
        raise UpstreamsFileError(faults)
    return UpstreamsFile.model_construct(upstreams=upstreams, triton_models=triton_models)


def _read_entries(
    part: str, content: Mapping[str, Any], read_entry: Callable[[Any], E], faults: list[str]
) -> dict[str, E]:
    """The entries of one mapping of the file; what is wrong with others is added to the faults."""
    entries: dict[str, E] = {}
    for name, entry in content.get(part, {}).items():
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            faults.append(f"{part}: a name has letters, digits, _ . and -, at most 64")
            continue
        try:
            entries[name] = read_entry(entry)
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_context=False, include_url=False):
                where = ".".join((part, name, *(str(step) for step in fault["loc"])))
                faults.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
        except ValueError as error:
            faults.append(f"{part}.{name}: {error}")
    return entries


def json_schema() -> dict[str, Any]:
    """JSON Schema of a file of upstreams, for editors and checkers."""
    schema = UpstreamsFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "upstreams.yaml", **schema}
