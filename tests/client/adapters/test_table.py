"""The table "your trainer -> what to set": every import path is there and called as documented, every path answers."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import reward_gateway.client.adapters as adapters

from tests.client.conftest import Service
from tests.clients.clients import CLIENTS, SECTION, Client, documented_lines, fill_table, read_record

TABLE = Path(adapters.__file__).with_name("README.md").read_text()
BY_IMPORT, BY_URL = TABLE.split(SECTION)[0].split("## By import path")[1].split("## By URL")


def rows(part: str) -> list[list[str]]:
    lines = [line.strip().strip("|").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines[1:]]


IMPORTED, ASKED = rows(BY_IMPORT), rows(BY_URL)
ADAPTERS = [found.name for found in pkgutil.iter_modules(adapters.__path__)]

POSITIONAL = {
    "axolotl": ("prompts", "completions", "completion_ids"),
    "axolotl with `trl.async_prefetch` or `context_parallel_size` over 1": ("prompts", "completions"),
    "TRL": ("prompts", "completions", "completion_ids"),
    "verl": ("data_source", "solution_str", "ground_truth", "extra_info"),
    "verl 0.7 and later, reward manager": ("config", "tokenizer", "compute_score"),
    "verl up to 0.6, batch manager": ("data_sources", "solution_strs", "ground_truths", "extra_infos"),
    "EasyR1": ("reward_inputs",),
    "AReaL": ("prompt", "completions", "prompt_ids", "completion_ids"),
    "SkyRL": (),
    "NeMo-RL": (),
    "verifiers, prime-rl": ("task", "trace"),
    "verifiers up to 0.2": ("prompt", "completion", "answer", "info"),
    "slime, miles (one request per group)": ("args", "samples"),
    "open-instruct": (),
    "LeRobot before 0.6, and other robot trainers, in a script": ("reward", "url"),
    "Unsloth, torchrl, Trinity, PipelineRL": ("prompts", "completions"),
    "axolotl's Hatchery": ("prompts", "completions"),
    "rLLM": ("task_info", "action"),
    "Agent-lightning": ("task", "response"),
    "ART": ("group",),
    "rewardbench": (),
    "LangSmith": ("recipe", "url"),
    "OpenEnv, in an environment of your own": ("reward", "url"),
}
"""How each trainer calls what it is given, by place."""

ELSEWHERE = {
    "ms-swift": "ms_swift",
    "LeRobot": "lerobot",
    "NeMo-Gym, and NeMo-RL through it": "nemo_gym",
    "Tunix": "tunix",
    "tinker-cookbook": "tinker_cookbook",
    "atropos": "atropos",
    "inspect_ai": "inspect_ai",
    "Braintrust (autoevals)": "autoevals",
    "DeepEval": "deepeval",
}
"""Rows of modules that import their framework, or name a module and no function: see test_classes.py and
tests/clients."""


def named(setting: str) -> Any:
    """What the row's dotted name, file or module stands for."""
    (found,) = re.findall(r"reward_gateway[./]client[./]adapters[./][\w./]+(?::\w+)?", setting)
    dotted = found.replace(".py", "").replace("/", ".").replace(":", ".")
    if name := re.search(r"name[= `]+(\w+)`", setting):
        dotted += f".{name[1]}"
    parts = dotted.split(".")
    for end in range(len(parts), 2, -1):
        try:
            found_object: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if part == "Environment":  # an actor, where Ray is; the class behind it here
                part = "RewardEnvironment"
            found_object = getattr(found_object, part)
        return found_object
    raise AssertionError(dotted)


@pytest.mark.parametrize("row", [row for row in IMPORTED if row[0] not in ELSEWHERE], ids=lambda row: row[0])
def test_an_import_path_is_there_and_takes_its_trainers_call(row: list[str]) -> None:
    trainer, setting = row[:2]
    given = named(setting)
    entry = given.main if inspect.ismodule(given) else given
    expected = next(call for name, call in POSITIONAL.items() if trainer == name or trainer.startswith(f"{name} ("))
    parameters = inspect.signature(entry).parameters.values()
    places = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert tuple(places[: len(expected)]) == expected
    required = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    assert set(required) <= set(expected)


def test_the_table_says_of_each_row_what_make_test_clients_found() -> None:
    assert fill_table(TABLE, read_record()) == TABLE, "run python -m tests.clients.clients"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.probe)
def test_a_client_that_make_test_clients_runs_has_rows(client: Client) -> None:
    assert all(documented_lines(row) for row in client.rows)


def test_every_adapter_stands_in_the_table() -> None:
    here = set(ADAPTERS) - {"service", "rows"}
    assert here <= set(re.findall(r"client[./]adapters[./](\w+)", BY_IMPORT))
    assert ELSEWHERE.keys() <= {row[0] for row in IMPORTED}


def test_an_adapter_imports_the_client_and_nothing_of_a_trainer_or_the_server() -> None:
    names = [
        name for name in ADAPTERS if name not in set(ELSEWHERE.values()) - {"tunix", "ms_swift", "lerobot", "nemo_gym"}
    ]
    imports = "; ".join(f"import reward_gateway.client.adapters.{name}" for name in names)
    heavy = "{'fastapi', 'grpc', 'pydantic', 'ray', 'torch', 'trl', 'PIL', 'starlette'}"
    source = str(Path(adapters.__file__).parents[3])
    loaded = subprocess.run(
        [sys.executable, "-c", f"{imports}; import sys; print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        check=True,
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("row", "trainer", "setting"),
    [
        ("ROLL", "ROLL makes 0", "query_filter_config"),
        ("axolotl through NeMo-Gym", "axolotl makes 0.0", "trl.reward_funcs"),
        ("verl-omni", "it makes 0 of every failure", "required=true"),
        ("verl", "rate_limited` makes 0.0", "naive"),
    ],
)
def test_a_row_says_which_trainer_makes_numbers_of_failures_and_what_to_set(
    row: str, trainer: str, setting: str
) -> None:
    said = next(found for found in IMPORTED + ASKED if found[0].startswith(row))[-1]
    assert trainer in said
    assert setting in said


@pytest.mark.parametrize("row", ASKED, ids=lambda row: row[0])
def test_a_path_answers(service: Service, row: list[str]) -> None:
    method, path = row[2].strip("`").split()
    answer = httpx.request(method, service.url + path, json={}, timeout=60)
    if "--pickle" in row[1]:  # off unless the operator says so
        assert "REWARD_GATEWAY_PICKLE" in answer.text
        return
    assert answer.status_code not in (404, 405), "there is such a path"
    assert answer.status_code < 500
