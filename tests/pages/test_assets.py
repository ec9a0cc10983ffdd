"""The scripts and styles of others that pages carry are the published ones, and each file says whose it is."""

import hashlib
import re
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


def test_every_package_has_its_version_and_its_licence_beside_it() -> None:
    for name, package in LISTED.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert package["licence"] in ("MIT", "BSD-3-Clause", "0BSD", "Apache-2.0", "MPL-2.0")
        assert f"{name}-LICENSE.txt" in package["files"]


def test_uplot_is_the_one_that_it_says() -> None:
    assert LISTED["uplot"]["version"] == "1.6.32"
    assert "uPlot (v1.6.32)" in read_asset("uPlot.iife.min.js")[:100]


def test_what_stands_inside_an_element_cannot_end_it() -> None:
    assert "</script" not in read_asset("uPlot.iife.min.js").lower()
    assert "</style" not in read_asset("uPlot.min.css").lower()
