"""The process that runs tests, with the names of a program that runs elsewhere. Standard library only."""

import ast
import builtins
import os
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .library import PRELUDE
from .lockdown import lock_process
from .peer import Peer, PeerLost, describe_exception
from .player import START, Silence, prepare_interpreter
from .remote import Remote

Tell = Callable[[Any], None]


def run_tests(
    tests: list[str], first: int, connection: socket.socket, tell: Tell, mechanisms: list[str], memory: int, cpu_s: int
) -> None:
    """Lock this process down and run tests from the first on. Never returns.

    What it tells: the mechanisms that both processes have in force; ``["loaded", null or the exception]``; and for each
    test ``[place, passed, error, lost]``.
    """
    prepare_interpreter()
    sys.stdin, sys.stdout, sys.stderr = None, Silence(), Silence()
    peer = Peer(connection, guarded=True)
    try:
        own = lock_process(mechanisms, memory, cpu_s)
        (theirs,) = peer.receive()
        tell([name for name in own if name in theirs])
        peer.send(START)  # type: ignore[arg-type]
        kind, content = peer.receive()[:2]
        if kind != "gave":
            tell(["loaded", name_exception(content)])
            return
        names = _read_names(content, peer)
        tell(["loaded", None])
        for place in range(first, len(tests)):
            tell([place, *_run_test(tests[place], names, peer)])
            if peer.lost:
                return
    except PeerLost as error:
        tell(["loaded", str(error)])
    except BaseException as error:
        tell(["loaded", f"the program gave what cannot be read ({type(error).__name__})"])
    finally:
        os._exit(0)


def name_exception(content: Any) -> str:
    """An exception's name and text, as :func:`.peer.describe_exception` wrote them."""
    names, text, _ = content
    name = names[0] if str(names[0]).isidentifier() else "Exception"  # a program may call a class what it likes
    return f"{name}: {text}"[:300].rstrip(": ")


def _read_names(content: Any, peer: Peer) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name, data in content:
        value = peer.decode(data)
        if value is not None or data is None:
            names[name] = value
    return names


def _run_test(test: str, names: dict[str, Any], peer: Peer) -> tuple[bool, str | None, bool]:
    """Whether a test passes, its error, and whether the program was lost."""
    peer.failed_assertion = False
    try:
        tree = ast.parse(test, "<test>")
        code = compile(tree, "<test>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return False, f"broken test: {type(error).__name__}: {error}"[:300], False
    scope: dict[str, Any] = {"__name__": "test"}
    exec(PRELUDE, scope)  # noqa: S102
    scope.update(_choose_names(tree, names, scope))
    module = sys.modules["solution"] = ModuleType("solution")
    module.__dict__.update({**names, **scope})
    try:
        exec(code, scope)  # noqa: S102
        _call_test_functions(tree, scope)
    except BaseException as error:
        return False, name_exception(describe_exception(error)), peer.lost
    if peer.lost:
        return False, "the program ended its process", True
    if peer.failed_assertion:
        return False, "AssertionError", False
    return True, None, False


def _choose_names(tree: ast.AST, names: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The program's names for a test.

    A program may define a function by the name of one that Python has. It is the one to test where the test uses no
    other name of the program; else the test means Python's own, so that an ``abs`` that is always 0 is no answer.
    """
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    shadowing = {name for name in names if (name in given or hasattr(builtins, name)) and name not in ("_",)}
    others = (used & names.keys()) - shadowing
    return {name: value for name, value in names.items() if not (others and name in shadowing)}


def _call_test_functions(tree: ast.Module, scope: dict[str, Any]) -> None:
    """Call the functions ``test_…`` that a test defines and does not call, as pytest does."""
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name not in called:
            required = len(node.args.args) - len(node.args.defaults)
            if not required and type(scope.get(node.name)) is not Remote:
                scope[node.name]()
