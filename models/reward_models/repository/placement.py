"""Where a model's instances run: Triton's ``instance_group``, put into the derived configuration and not the committed.

``config.pbtxt`` says one instance on the CPU. A machine with GPUs says otherwise in one note of the repository, which
:mod:`reward_models.repository.versions` applies wherever it derives what Triton reads; so a new model, a new version,
a new head and a rolled-back one all run on the device that the operator chose.
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
        count: instances on each GPU; each holds the weights once more, so that one is right for small models.
        gpus: numbers of the GPUs, as Triton counts those that it sees; empty: every one of them.
    """

    count: int = 1
    gpus: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1 or any(gpu < 0 for gpu in self.gpus):
            raise ValueError("A placement needs at least one instance a GPU, and numbers of GPUs from 0.")

    def format_instance_group(self) -> str:
        """The ``instance_group`` in protobuf's text format."""
        gpus = f" gpus: [ {', '.join(map(str, self.gpus))} ]" if self.gpus else ""
        return f"instance_group [ {{ count: {self.count} kind: KIND_GPU{gpus} }} ]"

    def apply_to(self, config: str) -> str:
        """A configuration with this in place of its own instance groups."""
        return f"{_GROUP.sub('', config).rstrip()}\n{self.format_instance_group()}\n"


def read_placement(repository: Path) -> Placement | None:
    """What is noted for a repository; None where models run as their committed configurations say."""
    path = repository / NOTE
    if not path.is_file():
        return None
    said = json.loads(path.read_text("utf-8"))
    return Placement(int(said["count"]), tuple(map(int, said["gpus"])))


def write_placement(repository: Path, placement: Placement | None) -> None:
    """Keep a placement for a repository, or with None forget the one that is there."""
    if read_placement(repository) == placement:
        return  # a repository that cannot be written to may be used as it is
    path = repository / NOTE
    if placement is None:
        path.unlink()
        return
    temporary = path.with_name(f"{NOTE}.new")
    temporary.write_text(json.dumps(asdict(placement)), "utf-8")
    temporary.replace(path)
