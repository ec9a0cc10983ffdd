"""The models of one server by the names under which they are requested."""

from collections.abc import Iterable

from reward_gateway.backends.triton.directory import Models
from reward_gateway.backends.triton.model_config import TritonModel


def index_by_name(models: Iterable[TritonModel]) -> Models:
    """Index models by requested name: ``NAME@VERSION`` for each, and ``NAME`` for the highest ready version."""
    named: dict[str, TritonModel] = {}
    of_name: dict[str, list[TritonModel]] = {}
    for model in sorted(models, key=_version_rank):
        named[model.name] = model  # the last one stays
        of_name.setdefault(model.name, []).append(model)
        if model.info.ready:
            named[f"{model.name}@{model.triton_version}"] = model.pin_version()
    ready = {name: [m.info.version for m in versions if m.info.ready] for name, versions in of_name.items()}
    coming = {
        name: [m.triton_version for m in versions if m.info.wanted and not m.info.ready and m.triton_version]
        for name, versions in of_name.items()
    }
    return {
        key: model if model.pinned else model.with_versions(ready[key], coming[key]) for key, model in named.items()
    }


def _version_rank(model: TritonModel) -> tuple[bool, bool, int]:
    """Sort key: Triton answers a name without a version with the highest ready version."""
    return model.info.ready, model.info.wanted, int(model.triton_version) if model.triton_version.isdecimal() else 0
