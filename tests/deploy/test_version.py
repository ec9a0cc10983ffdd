"""One version: `reward_gateway.__version__`, and every place that repeats it."""

import re
import tomllib
from pathlib import Path

import yaml
from reward_gateway import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CHART = ROOT / "deploy/helm/reward-gateway"
SECURITY = ROOT / "service/reward_gateway/guide/pages/operate/security.md"


def test_the_distribution_takes_its_version_from_the_package() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "service/reward_gateway/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_the_published_schema_and_the_chart_say_the_same() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == __version__
    assert set(re.findall(r"reward-gateway(?:-triton)?:(\d\S*)", (CHART / "README.md").read_text())) == {__version__}


def test_both_images_are_labelled_with_it() -> None:
    assert re.findall(r"^ARG VERSION(?:=(.*))?$", DOCKERFILE, re.MULTILINE) == [__version__, "", ""]
    assert DOCKERFILE.count('org.opencontainers.image.version="${VERSION}"') == 2


def test_the_changelog_ends_in_it_or_a_later_one_is_being_written() -> None:
    headings = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == __version__


def test_the_project_says_what_it_is_where_it_is_and_for_whom() -> None:
    classifiers = " ".join(PROJECT["project"]["classifiers"])
    for wanted in ("Intended Audience :: Science/Research", "Operating System :: POSIX :: Linux", "Python :: 3.11"):
        assert wanted in classifiers
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert {"Homepage", "Repository", "Issues", "Changelog"} <= PROJECT["project"]["urls"].keys()


def test_tritons_image_is_later_than_every_fix_of_the_security_bulletins_that_are_listed() -> None:
    (release,) = re.findall(
        r"^ARG TRITON_IMAGE=nvcr\.io/nvidia/tritonserver:(\d\d\.\d\d)-py3$", DOCKERFILE, re.MULTILINE
    )
    security = SECURITY.read_text()
    fixed_in = re.findall(r"^\| \d{4} \| \d{4}-\d\d-\d\d \| (\d\d\.\d\d) \|", security, re.MULTILINE)
    assert len(fixed_in) >= 12
    assert release >= max(fixed_in)
    for file in (SECURITY, CHART / "values.yaml", ROOT / "Dockerfile"):
        assert f"release {release}" in file.read_text(), file
