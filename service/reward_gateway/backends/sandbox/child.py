"""The process that runs one program and exits. Standard library only, so that it starts fast and uses little memory.

In, on standard input, to its end: one JSON object (``language``, ``program``, ``input``, ``memory``, ``cpu_s``,
``mechanisms``, ``key``). Out, on standard output: a line with the mechanisms in force; then the result, a
line that begins with the key, so that output of the program itself cannot be taken for it. Programs in ``python`` and
``sql`` run in this process; those with tests in further ones, which this one watches (:mod:`.supervisor`).
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from .library import load_modules
from .lockdown import lock_process
from .player import Silence, prepare_interpreter
from .spawner import Spawner
from .supervisor import Slowest, Unrun, examine_program, examine_script

MOST_ROWS = 10_000
LONGEST_VALUE = 16 << 20

WAL_MODE = slice(18, 20)
"""Bytes of a database's header that say how it is written: 1 by a journal, 2 by a write-ahead log."""

UNRUN = "unrun: "
"""How the error of a program begins that could not be run, for no fault of its own."""

Ran = tuple[bool, Any, str | None]


class BadDatabase(ValueError):
    """The database could not be built; the query is not at fault."""


def main() -> None:
    """Read the request, lock the process down, run the program, write the result, exit."""
    spawner = Spawner() if sys.argv[1:] == ["supervise"] else None
    request = json.loads(sys.stdin.buffer.read())
    if spawner is not None:
        _supervise(request, spawner)
    prepared = PREPARE[request["language"]](request)
    os.close(0)
    prepare_interpreter()
    sys.stdin, sys.stdout, sys.stderr = None, Silence(), Silence()
    cpu_s = request["cpu_s"] + math.ceil(time.process_time())  # what has been computed up to here is not the program's
    write_line(json.dumps(lock_process(request["mechanisms"], request["memory"], cpu_s)))
    key = request.pop("key")
    ok, value, error = capture_outcome(lambda: prepared(request["program"], request["input"]))
    try:
        line = json.dumps({"ok": ok, "value": value, "error": error}, allow_nan=False)
    except MemoryError:
        line = '{"ok": false, "error": "memory"}'
    except (TypeError, ValueError, RecursionError):
        line = '{"ok": false, "error": "the result is not JSON with finite numbers"}'
    write_line(key + line)
    os._exit(0)


def _supervise(request: dict[str, Any], spawner: Spawner) -> None:
    """Have the tests of a program run, write the verdicts, exit."""
    examine = examine_script if request["language"] == "stdio" else examine_program
    try:
        slowest = Slowest()
        in_force, verdicts = examine(request, spawner, slowest)
        told = {"mechanisms": in_force, "verdicts": verdicts, "slowest_s": slowest.seconds}
        answer = {"ok": True, "value": told, "error": None}
    except Unrun as error:
        answer = {"ok": False, "value": None, "error": f"{UNRUN}{error}"}
    write_line(request["key"] + json.dumps(answer))
    os._exit(0)


def write_line(line: str) -> None:
    """Write a line to the gateway, bypassing sys.stdout, which the program may have changed."""
    data = line.encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def capture_outcome(program: Callable[[], Any]) -> Ran:
    """Run a program; any exception, including ``SystemExit``, is its failure."""
    try:
        return True, program(), None
    except MemoryError:
        return False, None, "memory"
    except BadDatabase as error:
        return False, None, f"database: {error}"[:300]
    except BaseException as error:
        return False, None, f"{type(error).__name__}: {error}"[:300].rstrip(": ")


def prepare_python(request: dict[str, Any]) -> Callable[[str, Any], Any]:
    """Import the modules that programs may use."""
    load_modules([request["program"]])
    return run_python


def run_python(program: str, value: Any) -> Any:
    """The result of the program's ``main(value)``."""
    scope: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "<program>", "exec"), scope)  # noqa: S102 - the purpose of this process
    return scope["main"](value)


def prepare_sql(request: dict[str, Any]) -> Callable[[str, Any], Any]:
    """Open the operator's file, or an empty database in memory, and import what filling it takes: no file can be opened
    later."""
    import binascii
    import sqlite3

    file = request["input"].get("file")
    address = ":memory:" if file is None else f"file:{quote(file)}?mode=ro&immutable=1"
    database = sqlite3.connect(address, isolation_level=None, uri=file is not None)
    database.execute("PRAGMA temp_store = MEMORY")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    reads = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}

    def authorize_action(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        harmless = action in reads or (action == sqlite3.SQLITE_FUNCTION and second not in {"load_extension"})
        return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY

    if file is not None:  # its size is asked for once a transaction, and the lockdown would refuse to tell
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def run_query(query: str, given: Any) -> list[list[Any]]:
        most = given.get("max_rows", MOST_ROWS)
        try:
            if file is None:
                fill_database(database, given["database"], binascii.a2b_base64)
        except BaseException as error:  # memory included: whatever fails before the query is no fault of the query
            raise BadDatabase(f"{type(error).__name__}: {error}") from None
        database.set_authorizer(authorize_action)
        cursor = database.execute(query)
        if cursor.description is None:
            raise ValueError("the query gives no rows")
        rows = cursor.fetchmany(most + 1)
        if len(rows) > most:
            raise ValueError(f"more than {most} rows")
        return [[to_json_value(value) for value in row] for row in rows]

    return run_query


def fill_database(database: Any, database_input: Any, decode_base64: Callable[..., bytes]) -> None:
    """Build the database from a script, ``{schema, rows: {table: [[…]]}}``, or a copy of a file, ``{file_b64}``.

    Raises:
        ValueError: the input has another form, or the file is damaged.
    """
    parts = {"schema": database_input} if isinstance(database_input, str) else database_input
    if not isinstance(parts, dict) or not parts or not parts.keys() <= {"schema", "rows", "file_b64"}:
        raise ValueError("a database must be a script, {schema, rows} or {file_b64}")
    if "file_b64" in parts:
        content = bytearray(decode_base64(parts["file_b64"], strict_mode=True))
        if content[WAL_MODE] == b"\x02\x02":  # a database in memory has no write-ahead log; the file is whole without
            content[WAL_MODE] = b"\x01\x01"
        database.deserialize(bytes(content))
        if (faults := database.execute("PRAGMA quick_check(1)").fetchall()) != [("ok",)]:
            raise ValueError(f"the file is damaged: {faults[:1]}")
    database.executescript(parts.get("schema", ""))
    for table, rows in parts.get("rows", {}).items():
        if rows:
            name = '"' + table.replace('"', '""') + '"'
            places = ", ".join("?" * len(rows[0]))
            database.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608 - quoted, and its own data


def to_json_value(value: Any) -> Any:
    """An SQL value as JSON: blobs as hexadecimal text, infinities by name."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


PREPARE: dict[str, Callable[[dict[str, Any]], Callable[[str, Any], Any]]] = {
    "python": prepare_python,
    "sql": prepare_sql,
}
