"""The lock files: every package by hash, no index by name, the same versions wherever one process sees two of them."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("**/*.txt"))
COMPILED = ("numpy", "msgspec", "pyyaml", "pydantic-core", "yarl", "scipy")
"""Packages whose every version is a file for each Python and platform."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((REQUIREMENTS / f"{name}.txt").read_text()))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_package_is_pinned_by_hash_and_no_index_is_named(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE).strip())
    assert entries
    assert all(PIN.match(entry) and "--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_version_is_known_for_every_python_and_platform(lock: Path) -> None:
    for name in COMPILED:
        for entry in re.findall(rf"^{name}==.*\n(?:    --hash=.*\n)+", lock.read_text(), re.MULTILINE):
            assert entry.count("--hash=") > 20, f"{entry.splitlines()[0]}: renew it with `make lock`"


@pytest.mark.parametrize("smaller", ["gateway", "serve"])
def test_environments_that_build_on_each_other_agree(smaller: str) -> None:
    larger = {"gateway": "serve", "serve": "dev"}[smaller]
    assert pins(smaller).items() <= pins(larger).items()


def test_tritons_environment_has_numpy_1_and_the_gateways_a_later_one() -> None:
    assert pins("triton")["numpy"].startswith("1.26.")
    assert int(pins("gateway")["numpy"].partition(".")[0]) >= 2
    assert set(pins("tritonserver")) == {"nvidia-pytriton"}
