"""The changelog and the rules for changes are pages of the guide, and files of the project's folder."""

import tomllib
from pathlib import Path

import pytest
from reward_gateway.guide import repository_files
from reward_gateway.guide.reference import changelog, contributing
from reward_gateway.guide.repository_files import read_repository_file

from tests.conftest import ROOT

SECTION = ROOT / "service/reward_gateway/guide/pages/project"


def test_a_page_is_the_file_with_links_that_lead_on_from_its_section() -> None:
    text = contributing.write_page()
    assert "](architecture.md)" in text
    assert "](changelog.md)" in text
    assert "](../../../../../LICENSE)" in text
    assert (SECTION / "../../../../../LICENSE").resolve() == ROOT / "LICENSE"
    assert changelog.write_page().startswith("# Changelog\n")


def test_a_wheel_carries_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    pages = {name: read_repository_file(name) for name in carried}
    package = tmp_path / "site-packages/reward_gateway"
    monkeypatch.setattr(repository_files, "_PACKAGE", package)
    for source, target in carried.items():
        assert f" {source}" in (ROOT / "Dockerfile").read_text(), "the image's wheel is built from what is copied"
        assert f"!{source}\n" in (ROOT / ".dockerignore").read_text()
        copy = tmp_path / "site-packages" / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / source).read_text())
    assert {name: read_repository_file(name) for name in carried} == pages
