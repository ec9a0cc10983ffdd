"""``models add`` from the command line: the conversion runs in a Python that has torch, whatever runs the gateway."""

import json
from pathlib import Path

import pytest
from reward_gateway.cli import add as command
from reward_gateway.cli.main import app
from typer.testing import CliRunner, Result

ADDED = {"name": "m", "version": 3, "kind": "sequence", "engine": "onnx", "dimensions": ["reward"], "measured": {}}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", "add", *map(str, arguments)])


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for a Python with torch: writes down its arguments, and answers as a conversion does."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/arguments\necho '{json.dumps(ADDED)}'\n")
    script.chmod(0o755)
    monkeypatch.setenv(command.PYTHON_VARIABLE, str(script))
    return script


def told(python: Path) -> list[str]:
    return (python.parent / "arguments").read_text().splitlines()


def test_what_was_added_is_said(python: Path, tmp_path: Path) -> None:
    result = run("checkpoint", "--name", "m", "--repository", tmp_path)
    assert result.exit_code == 0, result.output
    assert "m@3: sequence, by onnx, reward" in result.stderr


def test_choices_are_passed_on_and_the_rest_is_left_to_the_checkpoint(python: Path, tmp_path: Path) -> None:
    run("-", "--name", "m", "--repository", tmp_path, "--kind", "steps", "--dimension", "min", "--dimension", "last")
    said = told(python)
    assert {"--kind=steps", "--dimension=min", "--dimension=last", f"--repository={tmp_path}"} <= set(said)
    assert said[-2:] == ["--", "-"]
    assert not [word for word in said if word.startswith(("--template", "--truncate", "--head"))]


def test_the_engine_is_passed_on_and_is_auto_otherwise(python: Path, tmp_path: Path) -> None:
    run("checkpoint", "--name", "m", "--repository", tmp_path)
    assert "--engine=auto" in told(python)
    run("c", "--name", "m", "--repository", tmp_path, "--engine", "torch", "--link", "--trust-remote-code")
    assert {"--engine=torch", "--link", "--trust-remote-code"} <= set(told(python))


def test_the_answer_can_be_json(python: Path, tmp_path: Path) -> None:
    result = run("checkpoint", "--name", "m", "--repository", tmp_path, "--json")
    assert json.loads(result.stdout) == ADDED


def test_a_conversion_that_fails_fails(python: Path, tmp_path: Path) -> None:
    python.write_text("#!/bin/sh\necho 'the reason' >&2\nexit 1\n")
    assert run("checkpoint", "--name", "m", "--repository", tmp_path).exit_code == 1


def test_a_missing_torch_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(command.PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(command, "ENVIRONMENT", Path("no/such/python"))
    result = run("checkpoint", "--name", "m", "--repository", tmp_path)
    assert result.exit_code != 0
    assert "`make convert`" in str(result.exception)
    assert "pip install 'reward-gateway[convert]'" in str(result.exception)
