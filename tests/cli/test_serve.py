"""``serve`` before anything runs: flags are the settings, and what cannot work is a sentence and an exit code."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from reward_gateway.cli.serve import serve
from reward_gateway.settings import Settings
from typer import Typer
from typer.testing import CliRunner


def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {f"REWARD_GATEWAY_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "reward_gateway.cli.serve", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_every_setting_is_a_flag_with_its_description() -> None:
    app = Typer(rich_markup_mode=None)
    app.command()(serve)
    shown = " ".join(CliRunner().invoke(app, ["--help"], terminal_width=200).output.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert field.description is not None
        assert field.description in shown


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
    assert "no model is called no_such_model" in result.stderr


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
