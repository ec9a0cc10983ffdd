"""Shell completion: through a real bash (and fish and zsh where they are installed)."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

RECIPES = "rewards:\n  short: {components: {a: {score: length_penalty}}}\nmodel_aliases: {shorter: short}\n"


def run_shell(shell: str, script: str, home: Path, **more: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "HOME": str(home), **more}
    env.pop("REWARD_GATEWAY_URL", None)
    options = {"bash": ["--norc", "-c"], "fish": ["--no-config", "-c"], "zsh": ["-f", "-c"]}[shell]
    command = [shell, *options, script]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.stderr == ""
    return done.stdout


def complete(home: Path, *words: str, **more: str) -> list[str]:
    """What bash offers for the last word, with the completion that it has installed."""
    script = f"""
        source ~/.bashrc
        COMP_WORDS=({shlex.join(["reward-gateway", *words])}); COMP_CWORD={len(words)}
        $(complete -p reward-gateway | sed 's/.*-F \\([^ ]*\\).*/\\1/') reward-gateway
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return run_shell("bash", script, home, **more).split()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    said = run_shell("bash", "reward-gateway --install-completion; true", tmp_path)
    assert "bash completion installed" in said
    (tmp_path / "recipes.yaml").write_text(RECIPES)
    return tmp_path


def test_commands_and_names_are_completed(home: Path) -> None:
    recipes = {"REWARD_GATEWAY_REWARDS_FILE": "recipes.yaml"}
    assert complete(home, "doc") == ["doctor", "docs"]
    assert complete(home, "score", "f.jsonl", "--reward", "sh", **recipes) == ["short", "shorter"]
    assert complete(home, "rewards", "show", "--recipes", "recipes.yaml", "shorte") == ["shorter"]
    assert complete(home, "catalog", "--kind", "c") == ["combine", "credit"]
    assert "text_preference" in complete(home, "models", "check", "text_p")


def test_a_running_service_tells_its_names(home: Path, service: Any) -> None:
    assert complete(home, "score", "f.jsonl", "--url", service.url, "--reward", "") == ["brief", "shaped"]


def test_where_nothing_can_be_read_nothing_is_offered_and_nothing_is_said(home: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    (home / "broken.yaml").write_text("rewards: [")
    assert complete(home, "models", "unload", "--url", away, "m") == []
    assert complete(home, "rewards", "show", "--recipes", "broken.yaml", "s") == []
    assert complete(home, "judges", "check", "--judges", "none.yaml", "s") == []


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish is installed")
def test_fish_completes_too(tmp_path: Path) -> None:
    script = 'reward-gateway --show-completion | source; complete -C "reward-gateway catalog --kind tr"'
    assert run_shell("fish", script, tmp_path).split() == ["transform"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh is installed")
def test_zsh_completes_too(tmp_path: Path) -> None:
    script = """
        autoload -Uz compinit; compinit -u
        reward-gateway --show-completion > completion.zsh
        source ./completion.zsh
        print $_comps[reward-gateway]
        export _TYPER_COMPLETE_ARGS="reward-gateway catalog --kind tr" _REWARD_GATEWAY_COMPLETE=complete_zsh
        reward-gateway
    """
    assert "_reward_gateway_completion" in (said := run_shell("zsh", script, tmp_path))
    assert "transform" in said
