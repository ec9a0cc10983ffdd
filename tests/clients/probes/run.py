"""Call the service through one client's own code, in that client's environment; test_clients.py runs it.

    python run.py NAME CALLS.json ANSWERS.json

NAME is a module ``NAME_probe`` beside this: ``PACKAGE`` is the distribution whose version counts, ``score`` asks for
the rewards of a :class:`Call` as the client does, and ``parse`` (where the client has a configuration of its own) reads
the lines that our table documents with it, and says what it was read with; ``read_guide`` does the same with our guide.
"""

import importlib
import importlib.util
import json
import os
import re
import shlex
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from multiprocessing import active_children
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Call:
    """Samples (``prompt``, ``response`` and, if there is one, ``reference``) for a recipe of a service."""

    url: str
    recipe: str
    samples: list[dict[str, Any]]

    def column(self, name: str) -> list[Any]:
        """One field of every sample, None where it has none."""
        return [sample.get(name) for sample in self.samples]


def render_chatml(prompt: str) -> str:
    """A prompt as a policy that speaks ChatML sees it, up to where its answer begins."""
    return f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"


def find_file(guide: str, name: str) -> str:
    """A file that a guide gives."""
    found = re.search(rf"^```\w+ file={re.escape(name)}\n(.*?)^```$", guide, flags=re.M | re.S)
    assert found is not None, name
    return found[1]


def find_command(guide: str, program: str) -> list[str]:
    """The words after a program in a guide's command."""
    found = re.search(rf"{re.escape(program)} (.*?)^```$", guide, flags=re.M | re.S)
    assert found is not None, program
    return shlex.split(found[1].replace("\\\n", " "))


def import_alone(name: str) -> Any:
    """A module of a package without what the packages above it import, which may be all of a trainer."""
    parts = name.split(".")
    spec = importlib.util.find_spec(parts[0])
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    for end in range(1, len(parts)):
        above = ".".join(parts[:end])
        if above not in sys.modules:
            package = sys.modules[above] = ModuleType(above)
            package.__path__ = [str(folder.joinpath(*parts[1:end]))]
            package.__spec__ = ModuleSpec(above, None, is_package=True)
            package.__spec__.submodule_search_locations = package.__path__
    return importlib.import_module(name)


def answer_call(probe: Any, call: Call) -> dict[str, Any]:
    """What the client made of a call: rewards, or what it raised."""
    os.environ.update(REWARD_GATEWAY_URL=call.url, REWARD_GATEWAY_REWARD=call.recipe)
    try:
        rewards = probe.score(call)
        return {"rewards": [None if reward is None or reward != reward else float(reward) for reward in rewards]}
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"[:500]}


def main(name: str, calls: str, answers: str) -> None:
    """Answer every call of the file."""
    asked = json.loads(Path(calls).read_text())
    probe = importlib.import_module(f"{name}_probe")
    parse = getattr(probe, "parse", None)
    record = {
        "package": probe.PACKAGE,
        "version": version(probe.PACKAGE),
        "parsed": parse(asked["lines"]) if parse and asked["lines"] else None,
        "guide": probe.read_guide(asked["guide"]) if asked["guide"] else None,
        "answers": {key: answer_call(probe, Call(**call)) for key, call in asked["calls"].items()},
    }
    Path(answers).write_text(json.dumps(record))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    for child in active_children():  # pools of processes, which would outlive this one
        child.kill()
    os._exit(0)  # and threads that would keep it
