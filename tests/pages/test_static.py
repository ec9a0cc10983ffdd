"""Scripts and styles of npm packages: as published, and each with its licence."""

import hashlib
from importlib.resources import files

import yaml

FOLDER = files("reward_gateway.pages") / "static"
LISTED = {row["file"]: row for row in yaml.safe_load((FOLDER / "packages.yaml").read_text())}


def test_every_file_is_listed_with_its_hash() -> None:
    held = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FOLDER.iterdir()}
    del held["packages.yaml"]
    assert held == {name: row["sha256"] for name, row in LISTED.items()}


def test_the_versions_are_those_that_work_together() -> None:
    """htmx 4 is not served by this extension."""
    versions = {row["package"]: str(row["version"]) for row in LISTED.values()}
    assert versions == {"htmx.org": "2.0.11", "htmx-ext-sse": "2.2.4", "uplot": "1.6.32"}


def test_a_licence_that_asks_for_its_text_has_it_here() -> None:
    for row in LISTED.values():
        assert row["licence"] in ("0BSD", "MIT")
        if row["licence"] == "MIT":
            assert "Permission is hereby granted" in (FOLDER / f"{row['file'].split('.')[0]}.LICENSE").read_text()
