"""The images that the chart names, in a store of this checkout: built once, and again where their files change."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reward_gateway import __version__
from reward_gateway.local.valkey import find_server

from tests.conftest import ROOT
from tests.images import building
from tests.images.buildah import Buildah

BASES = ROOT / ".local/images"
"""Where `tests/images/base.sh` puts what all images are built over; `make test-images` uses it too."""

STORE = ROOT / ".local/deploy/images"
MOST_BYTES = 10 << 30
"""Size of the store from which it is made anew: layers of earlier builds stay in it."""

GATEWAY, TRITON = f"reward-gateway:{__version__}", f"reward-gateway-triton:{__version__}"
VALKEY = "docker.io/valkey/valkey:8.1-alpine"

VALKEY_FILE = """\
FROM localhost/python-base
COPY files /
"""


@dataclass(frozen=True)
class ImageStore:
    """Images in containers/storage.

    Attributes:
        folder: its root.
        driver: how its layers are stored.
    """

    folder: Path
    driver: str


def build_images(folder: Path) -> ImageStore:
    """Build what the chart runs: both targets of the Dockerfile, and a stand-in for the image of Valkey.

    Args:
        folder: an empty folder for what is copied into them.
    """
    if not (BASES / "debian.tar").exists():
        subprocess.run([ROOT / "tests/images/base.sh", BASES], check=True)
    if measure_size(STORE) > MOST_BYTES:
        shutil.rmtree(STORE)
    settings = building.package_settings()
    buildah = Buildah(STORE, building.find_folders(settings), driver=find_driver(STORE), layers=True)
    building.build_bases(buildah, BASES, folder)
    building.copy_clone(folder / "clone")
    building.build_gateway(buildah, folder / "clone", GATEWAY)
    building.build_triton(buildah, folder / "clone", TRITON)
    build_valkey(buildah, folder / "valkey")
    return ImageStore(STORE / "root", buildah.driver)


def measure_size(folder: Path) -> int:
    """Bytes on the disk in a folder; 0 where there is none."""
    done = subprocess.run(["du", "-sxk", folder], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) << 10 if done.stdout else 0


def find_driver(folder: Path) -> str:
    """`overlay`, which copies no layer, where the kernel stacks folders of this file system; else `vfs`."""
    tried = folder.parent / "overlay"
    parts = {name: tried / name for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
    done = subprocess.run(["unshare", "--mount", *mount], capture_output=True, check=False)
    shutil.rmtree(tried)
    return "vfs" if done.returncode else "overlay"


def build_valkey(buildah: Buildah, folder: Path) -> None:
    """A stand-in for the image `valkey/valkey`, which no build here may fetch: a real Valkey server (the embedded one,
    which is newer than the image's) and Debian's `redis-cli` under the name `valkey-cli`, where PATH finds them."""
    copy_program(find_server(), folder / "files/usr/local/bin/valkey-server", folder / "files")
    client = shutil.which("redis-cli")
    assert client is not None
    copy_program(Path(client), folder / "files/usr/local/bin/valkey-cli", folder / "files")
    (folder / "Containerfile").write_text(VALKEY_FILE)
    buildah.build(folder, VALKEY, file=folder / "Containerfile")


def copy_program(program: Path, target: Path, root: Path) -> None:
    """Copy a program, and the libraries of this machine that it needs and a small Debian lacks, to their places."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(program, target)
    target.chmod(0o755)
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        _, found, place = line.partition(" => ")
        library = Path(place.split(" (")[0])
        if not found or library.name.startswith(("libc.", "libm.", "libdl.", "librt.", "libpthread.")):
            continue
        place_of_copy = root / "usr/lib" / f"{os.uname().machine}-linux-gnu" / library.name
        place_of_copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library, place_of_copy)
