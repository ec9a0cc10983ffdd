"""This machine: Python, disk, shared memory, open files, clock."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from reward_gateway.local.stack import describe_full_disk
from reward_gateway.traffic.open_files import OWN_FILES

from ...preflight import find_folder_faults
from ..check import Finding, Subject, fault, machine_check, ok, warning
from ..redis_server import read_clock

PYTHONS = (3, 11), (3, 13)
"""The first and the last version that is tested."""

_PLENTY_OF_DISK = 1 << 30
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps shared memory
_PLENTY_OF_MEMORY = 256 << 20
_RELEASED = 1_764_547_200.0  # 1 December 2025
_CLOCK_S = 2.0


@machine_check("python")
def check_python(_: Subject) -> Iterator[Finding]:
    """The interpreter's version."""
    version = sys.version_info[:2]
    name = ".".join(map(str, sys.version_info[:3]))
    first, last = (".".join(map(str, each)) for each in PYTHONS)
    if version < PYTHONS[0]:
        yield fault(f"Python {name} is too old: install {first} to {last}, and the gateway there")
    elif version > PYTHONS[1]:
        yield warning(f"Python {name} is untried: {first} to {last} are tested")
    else:
        yield ok(f"Python {name}")


@machine_check("disk")
def check_disk(subject: Subject) -> Iterator[Finding]:
    """The folders can be written to, and have space."""
    settings = subject.settings
    if faults := [*find_folder_faults(settings)]:
        yield from (fault(each.sentence) for each in faults)
        return
    folder = settings.state_dir.absolute()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if full := describe_full_disk(existing):
        yield fault(f"{full}: delete what is not needed, or name another folder with --state-dir")
    elif free < _PLENTY_OF_DISK:
        yield warning(
            f"{free >> 20} MiB are free for {folder}, where logs and state are kept: make it 1 GiB, or name another "
            "folder with --state-dir"
        )
    else:
        yield ok(f"{free / (1 << 30):.1f} GiB are free for {folder}")


@machine_check("shared memory")
def check_shared_memory(subject: Subject) -> Iterator[Finding]:
    """What the embedded Triton hands tensors over in."""
    if subject.settings.triton_url:
        return
    if not os.access(_SHARED_MEMORY, os.W_OK):
        yield fault(
            f"{_SHARED_MEMORY} cannot be written to, and the embedded Triton hands tensors over in it: mount it"
        )
        return
    free = shutil.disk_usage(_SHARED_MEMORY).free
    said = f"{free >> 20} MiB are free in {_SHARED_MEMORY}"
    if free < _PLENTY_OF_MEMORY:
        yield warning(f"{said}: large requests fail in the embedded Triton; give a container 1 GiB (--shm-size 1g)")
    else:
        yield ok(said)


@machine_check("open files")
def check_open_files(subject: Subject) -> Iterator[Finding]:
    """Whether as many connections can be held as the settings allow."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = subject.settings.max_connections
    held = wanted if hard == resource.RLIM_INFINITY else max(0, hard - OWN_FILES) // 2
    if held < wanted:
        more = 2 * wanted + OWN_FILES
        yield (fault if held < 1 else warning)(
            f"the limit of open files ({hard}) allows {held} connections per worker and protocol, not the {wanted} of "
            f"--max-connections: raise it to {more} (`ulimit -Hn {more}`, LimitNOFILE of systemd), or lower that"
        )
    else:
        yield ok(f"the limit of open files allows {wanted} connections per worker and protocol")


@machine_check("clock")
def check_clock(subject: Subject) -> Iterator[Finding]:
    """Rates, budgets per day, certificates and the age of what is stored go by the clock."""
    if time.time() < _RELEASED:
        yield fault(f"the clock says {time.strftime('%Y-%m-%d')}, which is past: set it, for example with NTP")
        return
    settings = subject.settings
    for address in dict.fromkeys(filter(None, (settings.state_address, settings.redis_address))):
        theirs = read_clock(address, subject.server_s)
        if theirs is not None and abs(theirs) > _CLOCK_S:
            yield warning(f"the clock differs by {theirs:+.0f} s from that of the Redis server: set both by NTP")
            return
    yield ok(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC")
