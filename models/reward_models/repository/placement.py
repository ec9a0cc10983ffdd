"""Where models run: Triton's ``instance_group``, set in the derived configuration rather than the committed one.

``config.pbtxt`` has one instance on the CPU. For GPUs the placement is stored in one file of the repository, and
:mod:`reward_models.repository.versions` applies it to every configuration it derives; so new models, versions and
heads, and rolled-back ones, all run on the device that the operator chose.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

NOTE = ".device.json"
_GROUP = re.compile(
    r"^instance_group\s*:?\s*(?:\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\{(?:[^{}]|\{[^{}]*\})*\})\n?", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Instances on GPUs.

    Attributes:
        count: instances on each GPU; each holds its own copy of the weights, and one is enough for small models.
        gpus: numbers of the GPUs, as Triton numbers them; empty for all.
    """

    count: int = 1
    gpus: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1 or any(gpu < 0 for gpu in self.gpus):
            raise ValueError("A placement needs at least one instance per GPU, and GPU numbers of 0 or more.")

    def format_instance_group(self) -> str:
        """The ``instance_group`` in protobuf's text format."""
        gpus = f" gpus: [ {', '.join(map(str, self.gpus))} ]" if self.gpus else ""
        return f"instance_group [ {{ count: {self.count} kind: KIND_GPU{gpus} }} ]"

    def apply_to(self, config: str) -> str:
        """A configuration with its instance groups replaced by this one; a model that takes GPUs by itself does."""
        if (group := _GROUP.search(config)) and "KIND_MODEL" in group[0]:
            return config
        return f"{_GROUP.sub('', config).rstrip()}\n{self.format_instance_group()}\n"


def read_placement(repository: Path) -> Placement | None:
    """The placement stored in a repository; None if models run as their committed configurations say."""
    path = repository / NOTE
    if not path.is_file():
        return None
    stored = json.loads(path.read_text("utf-8"))
    return Placement(int(stored["count"]), tuple(map(int, stored["gpus"])))


def write_placement(repository: Path, placement: Placement | None) -> None:
    """Store a placement in a repository; None removes it."""
    if read_placement(repository) == placement:
        return  # so that a read-only repository can be used as it is
    path = repository / NOTE
    if placement is None:
        path.unlink()
        return
    temporary = path.with_name(f"{NOTE}.new")
    temporary.write_text(json.dumps(asdict(placement)), "utf-8")
    temporary.replace(path)
