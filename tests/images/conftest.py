"""Tests that build both images, over bases that ``make test-images`` prepares; ``make test`` leaves them out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images import building
from tests.images.buildah import Buildah

PREPARED = os.environ.get("IMAGES_BASE", "")
if not PREPARED:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Storage of our own, with an image for each base; all of it is removed at the end."""
    made = Buildah(tmp_path_factory.mktemp("buildah"), building.find_folders(building.package_settings()))
    try:
        building.build_bases(made, Path(PREPARED), tmp_path_factory.mktemp("bases"))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context") / "clone"
    building.copy_clone(folder)
    building.add_model(folder)
    return folder


@pytest.fixture(scope="session")
def gateway_image(buildah: Buildah, context: Path) -> str:
    building.build_gateway(buildah, context, "gateway")
    return "localhost/gateway"


@pytest.fixture(scope="session")
def triton_image(buildah: Buildah, context: Path) -> str:
    building.build_triton(buildah, context, "triton")
    return "localhost/triton"
