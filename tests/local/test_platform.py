"""Where the embedded Triton cannot run, a sentence says why and what to do instead."""

import subprocess
import sys
from pathlib import Path

import pytest
from reward_gateway.local import platform
from reward_gateway.local.errors import StackError

ELSEWHERE = r"REWARD_GATEWAY_TRITON_URL.*deploy/compose\.yaml"


@pytest.mark.parametrize(
    ("system", "machine", "libc", "says"),
    [
        ("Darwin", "arm64", "", "this is Darwin on arm64"),
        ("Linux", "aarch64", "glibc 2.39", "this is Linux on aarch64"),
        ("Linux", "x86_64", "glibc 2.31", "this machine has glibc 2.31"),
        ("Linux", "x86_64", "", "another C library"),
    ],
)
def test_an_unsupported_machine_is_named(system: str, machine: str, libc: str, says: str) -> None:
    with pytest.raises(StackError, match=f"{says}.*{ELSEWHERE}"):
        platform.check_machine(system, machine, libc)


@pytest.mark.parametrize("libc", ["glibc 2.35", "glibc 2.36", "glibc 3.0"])
def test_a_supported_machine_passes(libc: str) -> None:
    platform.check_machine("Linux", "x86_64", libc)


def test_a_missing_libpython_names_the_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=rf"apt-get install libpython3\.99.*{ELSEWHERE}"):
        platform.find_libpython("3.99", [tmp_path])


def test_a_libpython_is_taken_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "libpython3.99.so.1.0").touch()
    assert platform.find_libpython("3.99", [Path("/nowhere"), tmp_path]) == tmp_path


def test_a_missing_environment_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=f"make serve.*{ELSEWHERE}"):
        platform.find_triton(tmp_path / "none")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An empty environment of this Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    return tmp_path / "env"


def add(environment: Path, numpy: str) -> None:
    """Put a server and the metadata of a numpy into ``environment``."""
    site = next((environment / "lib").glob("python*")) / "site-packages"
    (site / "pytriton/tritonserver/bin").mkdir(parents=True)
    (site / "pytriton/tritonserver/bin/tritonserver").touch()
    (site / "pytriton/__init__.py").touch()
    (site / f"numpy-{numpy}.dist-info").mkdir()
    (site / f"numpy-{numpy}.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\nName: numpy\nVersion: {numpy}\n")


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def any_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "_PYTHONS", (PYTHON,))


def test_an_environment_without_the_server_says_what_to_install(environment: Path) -> None:
    with pytest.raises(StackError, match=rf"requirements/tritonserver\.txt.*{ELSEWHERE}"):
        platform.find_triton(environment)


def test_a_python_that_triton_has_no_backend_for_is_named(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "_PYTHONS", ("3.0",))
    with pytest.raises(StackError, match=f"made with Python {PYTHON}.*uv python install 3.0.*{ELSEWHERE}"):
        platform.find_triton(environment)


def test_numpy_2_is_refused_because_this_triton_reads_its_arrays_wrongly(environment: Path) -> None:
    add(environment, numpy="2.1.0")
    with pytest.raises(StackError, match=f"numpy 2.1.0.*{ELSEWHERE}"):
        platform.find_triton(environment)


def test_a_whole_environment_is_found(environment: Path) -> None:
    add(environment, numpy="1.26.4")
    assert platform.find_triton(environment).stub.parent.name == PYTHON
