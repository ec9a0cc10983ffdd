"""The guides: their files are whole, their import paths are there, their recipes load, their links lead somewhere."""

import importlib
import importlib.util
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_gateway.recipes.book import load_book

from tests.conftest import ROOT

FOLDER = ROOT / "service/reward_gateway/client/adapters/guides"
OURS = (
    *("README", "trl", "verl", "openrlhf", "ms-swift", "llama-factory", "axolotl", "slime", "skyrl", "areal"),
    *("verifiers", "unsloth", "nemo", "easyr1", "roll", "open-instruct", "rllm", "tinker-cookbook", "art", "atropos"),
    *("images", "robots", "evaluation-frameworks", "tunix", "agent-lightning", "oat"),
)
GUIDES = [FOLDER / f"{name}.md" for name in OURS]
PLUGIN_OF_MS_SWIFT = "ms_swift"
READERS: dict[str, Callable[[str], Any]] = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}


def check_name(module: str, name: str) -> None:
    """Whether a module, and what a guide takes from it, is there; its trainer may be absent."""
    try:
        assert not name or hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        assert not name or re.search(rf"^(?:async )?(?:def|class) {name}\b", Path(spec.origin).read_text(), flags=re.M)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_names_what_is_there(guide: Path) -> None:
    text = guide.read_text()
    for module, name in re.findall(r"reward_gateway\.client\.adapters\.(\w+)(?:\.(\w+))?", text):
        if module != PLUGIN_OF_MS_SWIFT:
            check_name(f"reward_gateway.client.adapters.{module}", name)
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (guide.parent / link).exists(), link
    for language, name, content in re.findall(r"^```(\w+) (?:file|trainer)=(\S+)\n(.*?)^```$", text, flags=re.M | re.S):
        if language == "python":
            compile(content, name, "exec")
        elif name == "rewards.yaml":
            assert load_book(content).default == "sums"
        else:
            assert READERS[language](content)


@pytest.mark.parametrize("guide", GUIDES[1:], ids=lambda guide: guide.stem)
def test_a_guide_says_what_the_log_shows_and_what_happens_on_failure(guide: Path) -> None:
    text = guide.read_text()
    assert "\n## What the log says\n" in text
    assert "\n## When a score fails\n" in text
    assert f"({guide.name})" in (guide.parent / "README.md").read_text()


def test_the_table_leads_to_the_guides() -> None:
    assert "(guides/README.md)" in (FOLDER.parent / "README.md").read_text()


@pytest.mark.parametrize("name", ["openenv", "openreward"])
def test_the_script_of_an_environment_can_be_compiled(name: str) -> None:
    """``make test-clients`` runs it with the client itself."""
    text = (FOLDER / f"{name}.md").read_text()
    (script,) = re.findall(r"^```python trainer=play\.py\n(.*?)^```$", text, flags=re.M | re.S)
    compile(script, "play.py", "exec")
    assert f"({name}.md)" in (FOLDER / "README.md").read_text()
    assert f"(guides/{name}.md)" in (FOLDER.parent / "README.md").read_text()
