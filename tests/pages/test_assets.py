"""The scripts and styles of others that pages carry are the published ones, and each file says whose it is."""

import hashlib
from typing import Any

import yaml
from reward_gateway.pages.assets import STATIC, read_asset

LISTED: dict[str, dict[str, Any]] = yaml.safe_load((STATIC / "assets.yaml").read_text())


def test_every_file_has_the_hash_that_is_written_down_and_no_other_file_is_there() -> None:
    hashes = {name: file["sha256"] for package in LISTED.values() for name, file in package["files"].items()}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in STATIC.iterdir()
        if path.name != "assets.yaml"
    }
    assert found == hashes


def test_the_versions_are_those_that_work_together() -> None:
    """htmx 4 is not served by this extension."""
    versions = {name: package["version"] for name, package in LISTED.items()}
    assert versions == {"htmx.org": "2.0.11", "htmx-ext-sse": "2.2.4", "uplot": "1.6.32", "minisearch": "7.2.0"}
    assert "uPlot (v1.6.32)" in read_asset("uPlot.iife.min.js")[:100]


def test_a_licence_that_asks_for_its_text_has_it_beside_the_files() -> None:
    for name, package in LISTED.items():
        assert package["licence"] in ("0BSD", "MIT")
        if package["licence"] == "MIT":
            assert "Permission is hereby granted" in (STATIC / f"{name}-LICENSE.txt").read_text()


def test_what_stands_inside_an_element_cannot_end_it() -> None:
    assert "</script" not in read_asset("uPlot.iife.min.js").lower()
    assert "</style" not in read_asset("uPlot.min.css").lower()
