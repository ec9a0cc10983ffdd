"""What another user of the machine can do to a running stack: nothing but call the gateway."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

StartStack = Callable[..., Any]
PYTHON = "/usr/bin/python3"
SECRET = "hunter-two"
# Runs as another user, with what it is to try as JSON: answers what of it succeeded.
TRY = """
import glob, json, os, socket, sys
asked = json.load(sys.stdin)
done = []
def attempt(what, action):
    try:
        action()
        done.append(what)
    except OSError:
        pass
for path in asked["sockets"]:
    attempt("connect " + path, lambda: socket.socket(socket.AF_UNIX).connect(path))
for path in asked["files"]:
    attempt("open " + path, lambda: open(path, "rb"))
for path in asked["folders"]:
    attempt("list " + path, lambda: os.listdir(path))
    attempt("enter " + path, lambda: os.chdir(path))
for pid in asked["pids"]:
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        if asked["secret"].encode() in file.read():
            done.append("secret of %d" % pid)
    attempt("environment of %d" % pid, lambda: open("/proc/%d/environ" % pid, "rb").read())
print(json.dumps({"user": os.getuid(), "done": done}))
"""


def try_as_nobody(**asked: object) -> list[str]:
    ran = subprocess.run(
        [PYTHON, "-I", "-c", TRY], input=json.dumps(asked), capture_output=True, text=True, cwd="/", timeout=60,
        user="nobody", group=pwd.getpwnam("nobody").pw_gid, extra_groups=[],
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["user"] == pwd.getpwnam("nobody").pw_uid
    return list(answer["done"])


def everything(*folders: Path) -> dict[str, list[str]]:
    found = [path for folder in folders for path in [folder, *folder.rglob("*")]]
    return {
        "sockets": [str(path) for path in found if path.is_socket()],
        "files": [str(path) for path in found if path.is_file()],
        "folders": [str(path) for path in found if path.is_dir()],
    }


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as a home folder often is."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as another user")
@pytest.mark.skipif(not Path(PYTHON).exists(), reason=f"no {PYTHON} that another user may run")
def test_another_user_reaches_no_server_reads_no_file_and_sees_no_secret(
    start_stack: StartStack, open_folder: Path
) -> None:
    stack = start_stack(
        ["echo"], STATE_DIR=str(open_folder), OTLP_ENDPOINT=f"http://user:{SECRET}@127.0.0.1:1", WORKERS="2"
    )
    redis.Redis.from_url(stack.state).set("prompt", "a secret")
    triton = Path(stack.triton.removeprefix("unix:"))
    assert {triton.name, "cache", "state"} <= {path.name for path in triton.parent.iterdir()}
    run = open_folder / "run"
    memory = [str(region) for region in Path("/dev/shm").glob(f"reward_gateway_{stack.process.pid}_*")]
    family = [stack.process.pid, *(child.pid for child in psutil.Process(stack.process.pid).children(recursive=True))]

    private = everything(triton.parent, *run.iterdir())
    private["files"] += memory
    assert len(private["sockets"]) == 3
    assert memory
    assert any("appendonly" in file for file in private["files"])
    assert try_as_nobody(**private, pids=family, secret=SECRET) == []

    control = {"sockets": [], "files": [PYTHON], "folders": [str(open_folder)]}  # the attempts themselves work
    assert len(try_as_nobody(**control, pids=family, secret="")) == 3 + len(family)
