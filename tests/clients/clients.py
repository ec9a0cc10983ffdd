"""The clients that ``make test-clients`` runs: which rows of our table each stands for, and what it does on failure."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "service/reward_gateway/client/adapters/README.md"
GUIDES = TABLE.with_name("guides")
RECORD = Path(__file__).with_name("record.json")
RESULTS: dict[str, dict[str, Any]] = {}
"""What this run finds, by probe: the rows of the table that it prints."""
OUTCOMES = ("scored", "one_fails", "unavailable", "dead")
"""What a run says of a client that passed everything."""
Outcome = Literal["none", "raises", "zero"]
"""What a client makes of a sample without a score: nothing, an exception, or 0.0 of its own."""

SECTION = "## How each row was checked"
INTRODUCTION = """\
`make test-clients` runs a trainer's own client against the service: the native scores, in their order, one failure in a
batch, a service that answers 503, and none. `make test-trainers` trains with TRL and OpenRLHF for real, and compares
every reward that they trained on with the native one. The other rows follow the trainer's documented call. This table
is made by `python -m tests.clients.clients`."""
DOCUMENTED = "checked against its documented call"


@dataclass(frozen=True)
class Client:
    """One client.

    Attributes:
        probe: ``probes/<probe>_probe.py``.
        environment: the folder in which it is installed, and its lock file's name.
        rows: beginnings of the rows of the table that it proves.
        one_fails: what it does where one sample of a batch has no score.
        absent: what it does while the service answers 503, or not at all.
        labels: whether it can send a reference.
        media: what it sends beside a prompt in place of a response: two frames, or the last of them as a picture.
        guide: the guide whose files and commands its own configuration reads, by its name.
        calls: whether the caller itself is in its package; elsewhere only the configuration is read.
    """

    probe: str
    environment: str
    rows: tuple[str, ...]
    one_fails: Outcome = "raises"
    absent: Outcome = "raises"
    labels: bool = True
    media: Literal["frames", "images"] | None = None
    guide: str = ""
    calls: bool = True

    @property
    def needs_newer_python(self) -> bool:
        """Whether its environment is made for Python 3.13, as its ``.in`` file says."""
        wanted = ROOT / f"requirements/clients/{self.environment}.in"
        return wanted.exists() and "\n# Python 3.13" in wanted.read_text()


CLIENTS = (
    Client("trl", "../trainers", ("TRL",), one_fails="none", absent="none"),
    Client("openrlhf", "openrlhf", ("OpenRLHF",), one_fails="none", absent="none"),
    Client("verl", "verl", ("verl |",)),
    Client("verl_manager", "verl", ("verl 0.7 and later",), guide="verl"),
    Client("ms_swift", "ms-swift", ("ms-swift",), one_fails="none", absent="none"),
    Client("areal", "areal", ("AReaL",), guide="areal"),
    Client("skyrl", "skyrl", ("SkyRL",), guide="skyrl"),
    Client("verifiers", "verifiers", ("verifiers, prime-rl |",), guide="verifiers"),
    Client("verifiers_nemo_gym", "verifiers", ("verifiers, prime-rl through NeMo-Gym",)),
    Client("llamafactory", "llamafactory", ("LLaMA-Factory",), labels=False, guide="llama-factory"),
    Client("eval_protocol", "eval-protocol", ("reward-kit, eval-protocol",)),
    Client("axolotl_trl", "axolotl", ("axolotl |",), one_fails="none", absent="none"),
    Client("axolotl_hatchery", "axolotl", ("axolotl's Hatchery",)),
    Client("axolotl_nemo_gym", "axolotl", ("axolotl through NeMo-Gym",), absent="zero", guide="axolotl"),
    Client("nemo_gym", "nemo-gym", ("NeMo-Gym, and",), one_fails="none", absent="none"),
    Client("nemo_gym_environment", "nemo-gym", ("NeMo-Gym, and",), one_fails="none", absent="none"),
    Client("tunix", "tunix", ("Tunix",)),
    Client("art", "art", ("ART (OpenPipe)",), one_fails="none"),
    Client("ruler", "art", ("ART's RULER",), labels=False),
    Client("agent_lightning", "agent-lightning", ("Agent-lightning",), one_fails="zero", absent="zero"),
    Client("atropos", "atropos", ("atropos",)),
    Client("tinker_cookbook", "tinker-cookbook", ("tinker-cookbook",)),
    Client("inspect_ai", "inspect-ai", ("inspect_ai",), one_fails="none"),
    Client("rewardbench", "rewardbench", ("rewardbench",), labels=False),
    Client("langsmith", "langsmith", ("LangSmith",), one_fails="none"),
    Client("autoevals", "autoevals", ("Braintrust",), one_fails="none"),
    Client("deepeval", "deepeval", ("DeepEval",), one_fails="none", absent="none"),
    Client("lerobot", "lerobot", ("LeRobot |",), media="frames"),
    Client("unirl", "unirl", ("UniRL",), media="images"),
    Client("vertex", "vertex", ("Vertex AI",), calls=False),
    Client("oat", "oat", ("oat |",), labels=False),
    Client("openenv", "openenv", ("OpenEnv ([guide]",), one_fails="none"),
    Client("openenv_core", "openenv-core", ("OpenEnv ([guide]",), one_fails="none"),
    Client("openreward", "openreward", ("OpenReward",), one_fails="none"),
)


def read_record() -> dict[str, Any]:
    """What the last run of ``make test-clients`` found, by probe."""
    record: dict[str, Any] = json.loads(RECORD.read_text())
    return record


def documented_lines(row: str) -> list[str]:
    """The settings between backquotes in the table's row that begins so; a name that begins with a dot is whole."""
    rows = TABLE.read_text().split(SECTION)[0].splitlines()
    (line,) = [line for line in rows if line.startswith(f"| {row}")]
    found: list[str] = []
    for setting in re.findall(r"`([^`]+)`", line.split(" | ")[1]):
        if setting.startswith("."):  # `.name=…` after `reward.reward_manager.module.path=…`
            setting = f"{found[-1].rsplit('.module', 1)[0].split('=')[0].removesuffix('.path')}{setting}"
        found.append(setting)
    return found


def evidence_of(row: str, record: dict[str, Any]) -> str:
    """How a row of the table was checked: the versions that it ran with, or that it has not run."""
    found = [
        (client, f"{record[client.probe]['package']} {record[client.probe]['version']}")
        for client in CLIENTS
        if client.probe in record and any(row.startswith(f"| {name}") for name in client.rows)
    ]
    if ran := dict.fromkeys(version for client, version in found if client.calls):
        return f"ran with {', '.join(ran)}"
    if read := dict.fromkeys(version for _, version in found):
        return f"{DOCUMENTED}; configuration read by {', '.join(read)}"
    return DOCUMENTED


def fill_table(text: str, record: dict[str, Any]) -> str:
    """The page with its last section made anew: how each row was checked, as the record says."""
    rows = text.split(SECTION)[0].rstrip("\n")
    trainers = [line for line in rows.split("## By import path")[1].splitlines() if line.startswith("| ")]
    checked = [
        f"| {line.strip('| ').split(' | ')[0]} | {evidence_of(line, record)} |"
        for line in trainers
        if not line.startswith("| trainer ")
    ]
    return "\n".join([rows, "", SECTION, "", INTRODUCTION, "", "| trainer | checked |", "|---|---|", *checked, ""])


if __name__ == "__main__":
    TABLE.write_text(fill_table(TABLE.read_text(), read_record()))
