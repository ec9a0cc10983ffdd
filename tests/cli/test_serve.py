"""``serve`` before anything runs: flags are the settings, and what cannot work is a sentence and an exit code."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from reward_gateway.cli.serve import serve
from reward_gateway.cli.serve_flags import GroupedCommand, setting_flags
from reward_gateway.settings import GROUPS, Settings
from typer import Typer
from typer.testing import CliRunner


def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {f"REWARD_GATEWAY_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "reward_gateway.cli.serve", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)


def test_every_setting_is_a_flag_with_its_description() -> None:
    app = Typer(rich_markup_mode=None)
    app.command(cls=GroupedCommand)(serve)
    shown = " ".join(CliRunner().invoke(app, ["--help"], terminal_width=200).output.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert field.description is not None
        assert field.description in shown
        assert f"[REWARD_GATEWAY_{name.upper()}]" in shown


def test_the_flags_stand_in_groups() -> None:
    groups = [flag.annotation.__metadata__[0].rich_help_panel for flag in setting_flags()]
    assert list(dict.fromkeys(groups)) == list(GROUPS.values()), "every group begins with a setting that there is"


def test_a_value_out_of_range_names_the_flag_and_the_variable() -> None:
    for result in (run("--http-port", "99999"), run(HTTP_PORT="99999")):
        assert result.returncode == 2
        assert "--http-port (REWARD_GATEWAY_HTTP_PORT)" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_flag_wins_over_its_variable() -> None:
    assert "REWARD_GATEWAY_WORKERS" in run("--workers", "0", WORKERS="1").stderr


def test_without_triton_a_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    result = run("--triton-env", tmp_path)
    assert result.returncode == 1
    assert "make serve" in result.stderr
    assert "REWARD_GATEWAY_TRITON_URL" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.stack
def test_a_model_that_nobody_knows_is_named(tmp_path: Path) -> None:
    result = run("--models", "no_such_model", "--state-dir", tmp_path)
    assert result.returncode == 1
    assert "there is no model 'no_such_model'" in result.stderr


@pytest.mark.parametrize("setting", ["http_port", "grpc_port"])
def test_a_port_in_use_names_the_port_and_the_setting(setting: str, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ports = {"http_port": 0, "grpc_port": 0} | {setting: port}
        flags = [part for name, value in ports.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        elsewhere = ("--triton-url", "127.0.0.1:1", "--redis-url", "redis://127.0.0.1:1")
        result = run(*flags, *elsewhere, "--state-dir", tmp_path)
    assert result.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in result.stderr
    assert f"REWARD_GATEWAY_{setting.upper()}" in result.stderr


FAULTY_RECIPES = "rewards:\n  r:\n    components: {a: {score: length_penalty}}\n    combine: no_such_combiner\n"


def test_every_fault_is_said_at_once_before_anything_is_built_or_started(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    flags = ("--http-host", "0.0.0.0", "--rewards-file", "none.yaml", "--judges-file", "none.yaml")
    result = run(*flags, "--sandboxes-file", "absent.yaml", "--state-dir", tmp_path / "file" / "state")
    assert result.returncode == 2
    for said in (
        "0.0.0.0 can be reached from other machines and no API keys are required",
        "there is no recipe file none.yaml",
        "there is no file none.yaml (--judges-file, REWARD_GATEWAY_JUDGES_FILE)",
        "there is no file absent.yaml (--sandboxes-file, REWARD_GATEWAY_SANDBOXES_FILE)",
        "cannot be written to (Not a directory)",
    ):
        assert said in result.stderr
    assert all(line.startswith("reward-gateway: ") for line in result.stderr.splitlines()), "no step was begun"


def test_a_faulty_recipe_file_is_told_by_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "rewards.yaml"
    file.write_text(FAULTY_RECIPES)
    flags = ("--http-port", "0", "--grpc-port", "0", "--state-dir", tmp_path, "--rewards-file", file)
    result = run(*flags, "--triton-url", "127.0.0.1:1")
    assert result.returncode == 1
    assert f"{file}:4:5: rewards.r.combine" in result.stderr


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--redis-url", "secret@localhost:6379", "write redis://localhost:6379"),
        ("--state-redis-url", "localhost", "write redis://localhost"),
        ("--triton-url", "http://triton:8000", "host:port without http://"),
        ("--triton-url", "triton", "host:port without http://"),
        ("--otlp-endpoint", "collector:4317", "begins with http://"),
        ("--dialect-failures", "{", "the value is not JSON"),
        ("--triton-url", "triton:99999", "host:port without http://"),
        ("--redis-url", "redis://:secret@host:99999", "write redis://HOST:PORT/NUMBER"),
        ("--redis-url", "redis://:se/secret@host:6379", "special characters of a password as %XX"),
        ("--redis-url", "redis://host:6379/name", "write redis://HOST:PORT/NUMBER"),
        ("--redis-url", "redis://host?db=name", "write redis://HOST:PORT/NUMBER"),
        ("--state-redis-url", "redis://[::1", "write redis://HOST:PORT/NUMBER"),
        ("--state-redis-url", "unix://", "unix://PATH"),
        ("--rate-limit", "fast", "a number above 0 and a span of time, for example 600/minute"),
        ("--rate-limit", "0/minute", "for example 600/minute"),
        ("--rate-limit", "600/minute;5/second", "for example 600/minute"),
        ("--log-level", "loud", "'debug'"),
        ("--redis-max-memory", "lots", "for example 512mb"),
        ("--state-redis-max-memory", "-1", "for example 512mb"),
        ("--drain-s", "inf", "finite number"),
        ("--allowed-hosts", "https://gateway.example.org/", "write the name alone"),
    ],
)
def test_a_value_that_cannot_be_used_names_the_flag_and_the_variable(flag: str, value: str, said: str) -> None:
    result = run(flag, value)
    variable = "REWARD_GATEWAY_" + flag.removeprefix("--").replace("-", "_").upper()
    assert result.returncode == 2
    assert f"{flag} ({variable})" in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


def test_the_gateway_alone_says_the_same(tmp_path: Path) -> None:
    def alone(**settings: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {f"REWARD_GATEWAY_{name}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "reward_gateway.cli.worker"]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)

    for settings, said in (
        ({"HTTP_HOST": "0.0.0.0"}, "no API keys are required"),
        ({"REDIS_URL": "localhost"}, "write redis://localhost"),
        ({"API_KEYS_FILE": str(tmp_path / "none")}, "there is no file"),
        ({"DIALECT_FAILURES": '{"nobody": 1}'}, "unknown dialects: nobody"),
        ({"REDIS_URL": "redis://host:99999"}, "REWARD_GATEWAY_REDIS_URL"),
    ):
        result = alone(**settings)
        assert result.returncode == 2
        assert said in result.stderr
        assert "Traceback" not in result.stderr
