"""What a program in the sandbox can do, and what stops it from doing the rest: all mechanisms, and each by itself."""

import asyncio
import base64
import contextlib
import json
import os
import platform
import socket
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from reward_gateway.backends.sandbox.lockdown import MECHANISMS, NOBODY
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable, is_sufficient
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.pages.answers import NoModels
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime

from tests.clock import until

from .sandboxes import SETS, start_sandbox

pytestmark = pytest.mark.anyio

SANDBOXES = ("all", "seccomp alone", "landlock and namespaces")


@pytest.fixture(params=SANDBOXES, scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with start_sandbox(SETS[request.param]) as made:
        yield made


@pytest.fixture(scope="module")
async def full() -> AsyncIterator[Sandbox]:
    """Under everything that this kernel has."""
    async with start_sandbox(MECHANISMS) as made:
        yield made


async def run(sandbox: Sandbox, program: str, value: Any = None, timeout_s: float = 60.0) -> Any:
    (answer,) = await sandbox.run("python", [program], [value], timeout_s)
    return without_time(answer)


def without_time(answer: Any) -> Any:
    """An answer that is equal whatever time its program took."""
    return {key: told for key, told in answer.items() if key != "slowest_s"} if isinstance(answer, dict) else answer


@pytest.fixture(scope="module", autouse=True)
def others() -> set[int]:
    """Processes that other tests started, and still use."""
    OTHERS.update(child.pid for child in psutil.Process().children(recursive=True))
    return OTHERS


OTHERS: set[int] = set()


def programs() -> list[psutil.Process]:
    """Descendants of this process that these tests started."""
    return [child for child in psutil.Process().children(recursive=True) if child.pid not in OTHERS]


async def left_over() -> list[psutil.Process]:
    """Those that do not go away."""
    with contextlib.suppress(TimeoutError):
        await until(lambda: not programs())
    return programs()


def refused(answer: Any, *names: str) -> bool:
    """Whether the program met an exception of one of these names."""
    return not answer["ok"] and answer["error"].split(":")[0] in names


async def test_a_program_computes_and_may_import_what_is_pure(full: Sandbox) -> None:
    program = "import math, re, collections, itertools, json, statistics\ndef main(v):\n    return [math.comb(v, 2), v]"
    assert await run(full, program, 5) == {"ok": True, "value": [10, 5], "error": None}


async def test_answers_stand_in_the_order_of_the_programs(full: Sandbox) -> None:
    source = "import time\ndef main(v):\n    time.sleep(v / 50)\n    return v"
    answers = await full.run("python", [source] * 4, [3, 2, 1, 0], 60.0)
    assert [answer["value"] for answer in answers if isinstance(answer, dict)] == [3, 2, 1, 0]


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/self/maps", "/dev/urandom", "."])
async def test_no_file_can_be_read(sandbox: Sandbox, path: str) -> None:
    answer = await run(sandbox, "def main(path):\n    return open(path, 'rb').read(9).hex()", path)
    assert refused(answer, "PermissionError", "OSError", "IsADirectoryError"), answer


async def test_no_file_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    answer = await run(sandbox, "def main(path):\n    open(path, 'w').write('x')", str(tmp_path / "new"))
    assert refused(answer, "PermissionError", "OSError"), answer
    assert list(tmp_path.iterdir()) == []


async def test_no_folder_can_be_listed_and_no_file_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    kept = tmp_path / "kept"
    kept.write_text("kept")
    assert refused(
        await run(sandbox, "import os\ndef main(p): return os.listdir(p)", "/"), "PermissionError", "OSError"
    )
    assert refused(await run(sandbox, "import os\ndef main(p): os.unlink(p)", str(kept)), "PermissionError")
    assert kept.read_text() == "kept"


LIBC = "import sys\nlibc = sys.modules['ctypes'].CDLL(None, use_errno=True)\n"


@pytest.mark.parametrize("family", [1, 2, 10, 16, 17], ids=["unix", "inet", "inet6", "netlink", "packet"])
async def test_no_socket_can_be_made_not_even_from_machine_code(sandbox: Sandbox, family: int) -> None:
    for kind in (1, 2, 3):
        answer = await run(sandbox, f"{LIBC}def main(v): return libc.socket(v, {kind}, 0)", family)
        assert answer["value"] == -1


async def test_a_server_on_this_machine_is_not_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        program = f"""{LIBC}
import struct
def main(port):
    fd = libc.socket(2, 1, 0)
    address = struct.pack("=H", 2) + struct.pack("!H", port) + bytes([127, 0, 0, 1]) + bytes(8)
    return libc.connect(fd, address, 16)
"""
        answer = await run(sandbox, program, server.getsockname()[1])
        assert answer["value"] == -1
        with pytest.raises(TimeoutError):
            server.accept()


async def test_no_name_is_looked_up(sandbox: Sandbox) -> None:
    assert refused(
        await run(sandbox, "import socket\ndef main(v): return socket.gethostbyname('localhost')"),
        "ModuleNotFoundError",
    )
    answer = await run(sandbox, f"{LIBC}def main(v): return libc.gethostbyname(b'example.org')")
    assert answer["value"] == 0


async def test_a_fork_bomb_has_no_first_child(sandbox: Sandbox) -> None:
    answer = await run(sandbox, "import os\ndef main(v):\n    while True:\n        os.fork()")
    assert refused(answer, "PermissionError", "BlockingIOError"), answer
    assert await left_over() == []


async def test_no_thread_and_no_program_is_started(sandbox: Sandbox) -> None:
    answer = await run(sandbox, "import _thread\ndef main(v): _thread.start_new_thread(print, ())")
    assert refused(answer, "RuntimeError"), answer
    answer = await run(sandbox, "import os\ndef main(v): os.execv('/bin/sh', ['sh', '-c', 'true'])")
    assert refused(answer, "PermissionError"), answer
    assert (await run(sandbox, f"{LIBC}def main(v): return libc.system(b'true')"))["value"] != 0


async def test_memory_ends_at_its_limit(sandbox: Sandbox) -> None:
    assert (await run(sandbox, "def main(v): return len(bytearray(1 << 40))"))["error"] == "memory"
    grow = "def main(v):\n    kept = []\n    while True:\n        kept.append(bytearray(1 << 22))"
    assert (await run(sandbox, grow, timeout_s=60))["error"] == "memory"
    assert (await run(sandbox, "def main(v): return 9 ** 9 ** 9", timeout_s=1))["error"] in ("timeout", "memory")


@pytest.mark.parametrize(
    "program",
    [
        "while True:\n    pass",
        "def main(v):\n    while True:\n        try:\n            while True:\n                pass\n"
        "        except BaseException:\n            pass",
        "import signal\nfor n in range(1, 32):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\ndef main(v):\n    while True: pass",
        "import time\ndef main(v): time.sleep(1000)",
    ],
    ids=["a loop", "one that catches everything", "one that ignores signals", "a sleep"],
)
async def test_a_program_without_an_end_is_ended(sandbox: Sandbox, program: str) -> None:
    assert (await run(sandbox, program, timeout_s=0.5))["error"] == "timeout"


async def test_a_program_has_its_time_however_busy_the_machine_is() -> None:
    computing = """
import time
began = time.process_time()
def main(seconds):
    while time.process_time() - began < seconds:
        pass
    return seconds
"""
    count = 8 * (os.cpu_count() or 1)  # so that each has an eighth of a core: two seconds for a quarter of one
    made = Sandbox(processes=count)
    await made.start()
    answers = await made.run("python", [computing] * count, [0.25] * count, 0.5)
    assert [answer["value"] for answer in answers if isinstance(answer, dict)] == [0.25] * count
    await made.close()


async def test_a_result_or_output_without_an_end_is_cut(sandbox: Sandbox) -> None:
    flood = "import os\ndef main(v):\n    while True:\n        os.write(1, b'x' * 65536)"
    assert (await run(sandbox, flood))["error"] == "output"
    assert (await run(sandbox, "def main(v): return 'x' * (5 << 20)"))["error"] == "output"
    assert (await run(sandbox, "def main(v):\n    print('x' * (5 << 20))\n    return 1"))["value"] == 1


async def test_the_environment_is_empty(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_GATEWAY", "yes")
    assert (await run(sandbox, "import os\ndef main(v): return dict(os.environ)"))["value"] == {}
    assert (await run(sandbox, f"{LIBC}def main(v): return libc.getenv(b'SECRET_OF_THE_GATEWAY')"))["value"] == 0


async def test_no_other_process_gets_a_signal_not_even_one_of_the_same_user(sandbox: Sandbox) -> None:
    try:
        sleeper = subprocess.Popen(["sleep", "3600"], user=NOBODY)
    except OSError:  # then sandboxed programs run as this user too
        sleeper = subprocess.Popen(["sleep", "3600"])
    with sleeper as victim:
        for pid in (str(victim.pid), "os.getppid()", "1", "-1"):
            answer = await run(sandbox, f"import os\ndef main(v): os.kill({pid}, 9)")
            assert pid == "-1" or refused(answer, "PermissionError"), (pid, answer)
        assert victim.poll() is None
        victim.kill()


async def test_no_limit_is_raised_and_no_privilege_is_won(sandbox: Sandbox) -> None:
    program = f"""{LIBC}
import os
def main(v):
    unlimited = (sys.modules['ctypes'].c_ulong * 2)(1 << 40, 1 << 40)
    return [libc.setrlimit(9, unlimited), libc.setuid(0), libc.ptrace(16, os.getppid(), 0, 0), libc.chroot(b"/")]
"""
    assert (await run(sandbox, program))["value"] == [-1, -1, -1, -1]


async def test_the_calls_that_attacks_on_kernels_begin_with_are_not_there(full: Sandbox) -> None:
    if "seccomp" not in full.in_force:
        pytest.skip("this kernel has no seccomp; what the calls could reach is closed by landlock and namespaces")
    # unshare, io_uring_setup, bpf, userfaultfd, perf_event_open, keyctl, mount, add_key, memfd_create
    numbers = {"x86_64": [272, 425, 321, 323, 298, 250, 165, 248, 319]}.get(platform.machine(), [425])
    answer = await run(
        full, f"{LIBC}def main(numbers): return [libc.syscall(n, 0, 0, 0, 0, 0) for n in numbers]", numbers
    )
    assert answer["value"] == [-1] * len(numbers)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("import os\nos._exit(0)", "it ended without a result"),
        ('import os\nos.write(1, b\'{"ok": true, "value": true}\\n\')\nos._exit(0)', "it ended without a result"),
        ("import os\nos.close(1)\ndef main(v): return 1", "it ended without a result"),
        ("def main(v): return float('nan')", "the result is not JSON with finite numbers"),
        ("def main(v): return object()", "the result is not JSON with finite numbers"),
        ("x = 1", "KeyError: 'main'"),
        ("def main(v:", "SyntaxError: '(' was never closed (<program>, line 1)"),
        ("raise ValueError('no')", "ValueError: no"),
    ],
)
async def test_what_ends_early_or_prints_a_result_has_not_passed(full: Sandbox, program: str, error: str) -> None:
    assert await run(full, program) == {"ok": False, "value": None, "error": error}


async def test_a_crash_of_the_interpreter_is_only_its_own(full: Sandbox) -> None:
    answer = await run(full, "import sys\ndef main(v): sys.modules['ctypes'].string_at(0)")
    assert answer["error"] == "crashed"


async def test_no_process_is_left_over_when_programs_end_time_out_or_are_given_up(full: Sandbox) -> None:
    await full.run("python", ["while True: pass", "def main(v): return 1", "import os\nos._exit(3)"], [0, 0, 0], 0.3)
    given_up = asyncio.create_task(full.run("python", ["while True: pass"] * 4, [0] * 4, 60))
    await until(programs)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await left_over() == []


async def test_a_deadline_is_no_fault_of_the_program(full: Sandbox) -> None:
    deadline = asyncio.get_running_loop().time() + 0.4
    (answer,) = await full.run("python", ["while True: pass"], [None], 30, deadline)
    assert isinstance(answer, Invalid)
    assert answer.code == "deadline_exceeded"


async def test_what_is_in_force_is_said_and_what_is_too_little_is_refused() -> None:
    assert not is_sufficient(("privileges",))
    assert not is_sufficient(("privileges", "landlock"))
    assert not is_sufficient(("landlock", "namespaces"))
    assert not is_sufficient(("landlock", "childless"))
    assert is_sufficient(("seccomp", "childless"))
    assert is_sufficient(("landlock", "namespaces", "childless"))
    with pytest.raises(SandboxUnavailable, match="in force: "):
        await Sandbox(("privileges", "namespaces")).start()


SHOP = {"schema": "CREATE TABLE sales(item TEXT, price REAL)", "rows": {"sales": [["a", 1.5], ["b", None]]}}


async def query(sandbox: Sandbox, text: str, database: Any = SHOP, timeout_s: float = 60.0) -> Any:
    (answer,) = await sandbox.run("sql", [text], [{"database": database}], timeout_s)
    return answer


async def test_a_query_reads_a_database_of_its_own(full: Sandbox) -> None:
    assert (await query(full, "SELECT item, price * 2 FROM sales ORDER BY item"))["value"] == [["a", 3.0], ["b", None]]
    assert (await query(full, "SELECT x'0aff', 9e999, 1"))["value"] == [["x'0aff'", "inf", 1]]


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM sales",
        "DROP TABLE sales",
        "INSERT INTO sales VALUES ('c', 1)",
        "ATTACH 'file:/tmp/x' AS x",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "VACUUM INTO '/tmp/copy'",
        "CREATE TEMP TABLE t(a)",
        "SELECT 1; DELETE FROM sales",
    ],
)
async def test_a_query_changes_nothing_and_reaches_nothing_else(full: Sandbox, text: str) -> None:
    answer = await query(full, text)
    assert not answer["ok"]
    assert answer["error"].split(":")[0] in ("DatabaseError", "OperationalError", "ProgrammingError", "Warning")


async def test_a_query_has_limits_of_time_rows_and_size(full: Sandbox) -> None:
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
    assert (await query(full, f"{count} count(*) FROM n", timeout_s=0.5))["error"] == "timeout"
    assert (await query(full, f"{count} i FROM n LIMIT 10001"))["error"] == "ValueError: more than 10000 rows"
    assert not (await query(full, "SELECT hex(zeroblob(900000000))"))["ok"]


def shop_file(tmp_path: Path, journal: str = "delete", rows: int = 200) -> bytes:
    """The bytes of a real SQLite file."""
    path = tmp_path / f"{journal}.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE sales(item TEXT, price REAL)")
        database.executemany("INSERT INTO sales VALUES (?, ?)", [(f"item {i}", i * 0.5) for i in range(rows)])
        database.commit()
    return path.read_bytes()


def as_file(content: bytes) -> dict[str, str]:
    return {"file_b64": base64.b64encode(content).decode()}


@pytest.mark.parametrize("journal", ["delete", "wal"])
async def test_a_database_may_be_a_file(full: Sandbox, tmp_path: Path, journal: str) -> None:
    database = as_file(shop_file(tmp_path, journal))
    assert (await query(full, "SELECT count(*), sum(price) FROM sales", database))["value"] == [[200, 9950.0]]
    assert not (await query(full, "DELETE FROM sales", database))["ok"]


async def test_a_damaged_file_is_no_fault_of_the_query(full: Sandbox, tmp_path: Path) -> None:
    content = shop_file(tmp_path)
    damaged = content[:4096] + bytes(200) + content[4296:]
    broken = [as_file(damaged), as_file(content[:5000]), as_file(b"no database"), {"file_b64": "%%%"}, {"file_b64": 7}]
    for database in broken:
        assert (await query(full, "SELECT count(*) FROM sales", database))["error"].startswith("database:")


async def test_the_reward_of_a_query_on_a_file_is_right_and_a_broken_gold_or_database_has_none(
    full: Sandbox, tmp_path: Path
) -> None:
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), sandbox=full)
    gateway = Gateway(load_book("rewards: {r: {components: {a: {score: length_penalty}}}}"), runtime)
    gold = "SELECT count(*) FROM sales WHERE price > 10"
    item = {"pred_sql": gold, "gold_sql": gold, "db": as_file(shop_file(tmp_path)), "format_ok": True}
    items = [
        item,
        {**item, "pred_sql": "SELECT count(*) FROM sales"},
        {**item, "pred_sql": "SELECT nothing"},
        {**item, "gold_sql": "SELECT nothing"},
        {**item, "db": as_file(shop_file(tmp_path, "truncate")[:5000])},
    ]
    right, wrong, failed, no_gold, no_database = await gateway.operations.apply_items("score", "reasoning_sql", items)
    assert (right["reward"], right["details"]["exec"]) == (7.0, 1.0)
    assert (wrong["details"]["exec"], wrong["details"]["syntax"]) == (0.0, 1.0)
    assert (failed["details"]["exec"], failed["details"]["syntax"]) == (0.0, 0.0)
    assert [result["reward"] for result in (no_gold, no_database)] == [None, None]
    assert [result["error"]["param"] for result in (no_gold, no_database)] == ["gold_sql", "db"]
    assert {result["error"]["code"] for result in (no_gold, no_database)} == {"invalid_field"}


UNFIT = [[2**70], [[1]], [{}]]


@pytest.mark.parametrize(
    "database",
    ["CREATE TABLE", {"tables": {}}, 7, {"schema": "", "rows": {"none": [[1]]}}, {"schema": 5}, {"rows": [1]}, {}, None]
    + [{"schema": "CREATE TABLE a(b)", "rows": {"a": [row]}} for row in UNFIT],
)
async def test_a_database_that_cannot_be_built_is_no_fault_of_the_query(full: Sandbox, database: Any) -> None:
    assert (await query(full, "SELECT 1", database))["error"].startswith("database:")


async def test_equal_queries_on_equal_databases_run_once(full: Sandbox) -> None:
    answers = await full.run("sql", ["SELECT 1"] * 64, [{"database": SHOP}] * 64, 5.0)
    (first, *_) = answers
    assert isinstance(first, dict)
    assert (first["ok"], first["value"], first["error"]) == (True, [[1]], None)
    assert answers == [first] * 64  # the time that it took among them
    assert json.dumps(answers)
