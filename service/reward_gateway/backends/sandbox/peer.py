"""One end of the conversation between the process of a program and that of its tests. Standard library only.

The process of the tests asks that of the program to call, and gets values back. What the program answers is data: it
never sees the code of a test or what a test expects, so that an answer is right because it is.
"""

import builtins
import contextlib
import json
import math
import operator
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

from .remote import BINARY, ORDER, UNARY, Remote, id_of
from .values import base_value, decode, encode, is_mutable, update_in_place

LONGEST_MESSAGE = 64 << 20
_LENGTH = struct.Struct("!Q")
_NAMED_MODULES = ("builtins", "math")
_NOT_NAMED = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "open",
        "input",
        "getattr",
        "setattr",
        "delattr",
        "globals",
        "locals",
        "vars",
        "breakpoint",
        "__import__",
        "__build_class__",
        "exit",
        "quit",
        "help",
        "dir",
        "print",
        "type",
        "super",
        "memoryview",
    ]
)
_FRAMES = ("_", "gi_", "cr_", "ag_", "tb_", "f_", "co_", "func_", "mro")
"""Attributes, by their beginning, that lead from a value of a test to its code."""


class PeerLost(BaseException):
    """The other process has ended, or says what cannot be read. Not an Exception: no test can pass on it."""


class Refused(TypeError):
    """What an object may not be asked from outside."""


class Peer:
    """One end of the conversation.

    Args:
        guarded: the other end must not reach code by what it is given: private attributes, frames, modules.

    Attributes:
        lost: the conversation is over.
        failed_assertion: a callback into this process failed an assertion, whatever the other end made of it.
    """

    def __init__(self, connection: socket.socket, *, guarded: bool) -> None:
        self._connection = connection
        self._guarded = guarded
        self._given: dict[int, Any] = {}
        self.exceptions: dict[str, type[BaseException]] = {}
        self.lost = False
        self.failed_assertion = False

    # The conversation

    def ask(self, operation: str, *arguments: Any) -> Any:
        """The result of an operation at the other end. Raises what it raises there, or PeerLost."""
        mutable = _find_mutable(operation, arguments)
        self.send([operation, self.encode(list(arguments))])
        answer = self._wait_for_answer()
        try:
            kind, content, *changed = answer
            if kind == "raised":
                raised: BaseException = self._read_exception(content, operation)
            else:
                raised, result = None, self.decode(content)  # type: ignore[assignment]
            for place, new in changed[0] if changed else ():
                update_in_place(mutable[place], self.decode(new))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError) as error:
            raise PeerLost("the program gave what cannot be read") from error
        if raised is not None:
            raise raised
        return result

    def _wait_for_answer(self) -> list[Any]:
        while True:
            message = self.receive()
            if not isinstance(message, list) or len(message) < 2:
                raise PeerLost("the program gave what cannot be read")
            if message[0] in ("gave", "raised"):
                return message
            self.answer(message)

    def answer(self, message: list[Any]) -> None:
        """Do what the other end asks, and send the result."""
        try:
            arguments = self.decode(message[1])
            if self._guarded and message[1][1][0][0] != "yours":
                raise Refused("only what a test gave can be used")
            mutable = _find_mutable(message[0], arguments)
            before = [json.dumps(self.encode(value)) for value in mutable]
            result = self._perform(message[0], *arguments)
            changed = [
                [place, after]
                for place, value in enumerate(mutable)
                if json.dumps(after := self.encode(value)) != before[place]
            ]
            reply = ["gave", self.encode(result), changed]
        except PeerLost:
            raise
        except BaseException as error:
            self.failed_assertion = self.failed_assertion or isinstance(error, AssertionError)
            reply = ["raised", describe_exception(error, self)]
        self.send(reply)

    def send(self, message: list[Any]) -> None:
        try:
            data = json.dumps(message).encode()
            rest = memoryview(_LENGTH.pack(len(data)) + data)
            while rest:  # not send(), which a locked process may not call
                rest = rest[os.write(self._connection.fileno(), rest) :]
        except OSError:
            self._lose()

    def receive(self) -> Any:
        """The next message. Raises PeerLost at the end."""
        try:
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
            if length > LONGEST_MESSAGE:
                self._lose()
            return json.loads(self._read(length))
        except (OSError, ValueError, RecursionError, MemoryError):
            self._lose()

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = os.read(self._connection.fileno(), min(size - len(data), 1 << 20))
            if not piece:
                self._lose()
            data += piece
        return bytes(data)

    def _lose(self) -> Any:
        self.lost = True
        raise PeerLost("the program ended its process")

    # Values

    def encode(self, value: Any) -> Any:
        return encode(value, self._refer)

    def decode(self, data: Any) -> Any:
        return decode(data, self._resolve)

    def _refer(self, value: Any) -> list[Any]:
        if type(value) is Remote:
            return ["yours", id_of(value)]
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if module in _NAMED_MODULES and isinstance(name, str) and name not in _NOT_NAMED:
            home: Any = builtins if module == "builtins" else math
            if getattr(home, name, None) is value:
                return ["named", module, name]
        if isinstance(value, type(json)):
            return ["module", value.__name__]
        self._given[id(value)] = value
        held = base_value(value)
        kind = value if isinstance(value, type) else type(value)
        bases = None
        if isinstance(value, type) and issubclass(value, BaseException):
            bases = [base.__name__ for base in value.__mro__]
        copied = None if held is None else self.encode(held)
        return ["mine", id(value), kind.__name__, isinstance(value, type), bases, copied]

    def _resolve(self, data: list[Any]) -> Any:
        match data:
            case ["yours", int(number)]:
                return self._given[number]
            case ["named", str(module), str(name)] if module in _NAMED_MODULES and name not in _NOT_NAMED:
                return getattr(builtins if module == "builtins" else math, name)
            case ["module", str(name)]:
                import sys

                return None if self._guarded and name not in _public_modules() else sys.modules.get(name)
            case ["mine", int(number), str(name), bool(is_class), bases, held]:
                if bases and self._guarded:
                    return self._exception_class(name, bases)
                return Remote(self, number, name, is_class, None if held is None else self.decode(held))
        raise ValueError("no value")

    def _exception_class(self, name: str, bases: list[str]) -> type[BaseException]:
        if name not in self.exceptions:
            known = next((self.exceptions.get(base) or _builtin_exception(base) for base in bases[1:]), None)
            parents = [self.exceptions.get(base) or _builtin_exception(base) for base in bases[1:]]
            parent = known or next((found for found in parents if found is not None), Exception)
            self.exceptions[name] = type(name, (parent,), {})
        return self.exceptions[name]

    def _read_exception(self, content: Any, operation: str) -> BaseException:
        names, text, arguments = content
        found = next(
            (kind for name in names if (kind := self.exceptions.get(name) or _builtin_exception(name)) is not None),
            Exception,
        )
        if found is StopIteration and operation != "next":  # it would end a map() of the test early
            return RuntimeError("the program raised StopIteration")
        with contextlib.suppress(Exception):
            return found(*(self.decode(arguments) if arguments is not None else [text]))
        return RuntimeError(f"{found.__name__}: {text}")

    # What the other end asks

    def _perform(self, name: str, *arguments: Any) -> Any:
        first = arguments[0]
        match name:
            case "call":
                return first(*arguments[1], **arguments[2])
            case "get":
                return getattr(first, self._allowed(arguments[1]))
            case "set":
                return setattr(first, self._allowed(arguments[1]), arguments[2])
            case "delete":
                return delattr(first, self._allowed(arguments[1]))
            case "item":
                return first[arguments[1]]
            case "set item":
                return operator.setitem(first, arguments[1], arguments[2])
            case "delete item":
                return operator.delitem(first, arguments[1])
            case "next":
                return next(first)
            case "contains":
                return arguments[1] in first
            case "eq":
                return bool(first == arguments[1])
            case "is instance":
                return isinstance(first, arguments[1])
            case "is subclass":
                return issubclass(first, arguments[1])
            case "format":
                return format(first, arguments[1])
            case "round":
                return round(first, *arguments[1])
            case "enter":
                return type(first).__enter__(first)
            case "exit":
                return bool(type(first).__exit__(first, None, None, None))
        table = UNARY if name in UNARY else ORDER if name in ORDER else BINARY
        return table[name](*arguments)

    def _allowed(self, name: Any) -> str:
        if not isinstance(name, str) or (self._guarded and name.startswith(_FRAMES)):
            raise Refused("this attribute is not given away")
        return name


def _public_modules() -> frozenset[str]:
    return frozenset(("math", "collections", "heapq", "bisect", "itertools", "functools", "re", "string", "random"))


def _builtin_exception(name: Any) -> type[BaseException] | None:
    found = getattr(builtins, name, None) if isinstance(name, str) else None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def describe_exception(error: BaseException, peer: Peer | None = None) -> list[Any]:
    """An exception as JSON: the names of its classes, its text, its arguments if they are plain."""
    names = [kind.__name__ for kind in type(error).__mro__]
    try:
        text = str(error)[:300]
    except BaseException:  # a program's own __str__
        text = ""
    arguments = None
    plain = all(value is None or type(value) in (str, int, float, bool) for value in error.args)
    if plain and peer is not None and len(repr(error.args)) < 10_000:
        arguments = peer.encode(list(error.args))
    return [names, text, arguments]


def _find_mutable(operation: str, arguments: Sequence[Any]) -> list[Any]:
    """The containers among the arguments, which the other end may change."""
    values = [*arguments[1], *arguments[2].values()] if operation == "call" else arguments[1:]
    return [value for value in values if is_mutable(value)]
