"""Objects of one process, used from another as if they were there. Standard library only.

A comparison of an object of the program with a plain value is never left to the object.
"""

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .peer import Peer


BINARY = {
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")},
    "lshift": operator.lshift,
    "rshift": operator.rshift,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "divmod": divmod,
}
ORDER = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}
UNARY: dict[str, Callable[..., Any]] = {
    "neg": operator.neg,
    "pos": operator.pos,
    "invert": operator.invert,
    "abs": abs,
    "len": len,
    "iter": iter,
    "str": str,
    "repr": repr,
    "int": int,
    "float": float,
    "bool": bool,
    "reversed": reversed,
    "index": operator.index,
    "trunc": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
}


def id_of(remote: "Remote") -> int:
    """The number by which its own process knows an object."""
    number: int = object.__getattribute__(remote, "_number")
    return number


class Remote:
    """An object of the other process.

    It is compared with a plain value by the value that it holds, if its class is one of numbers, texts or containers,
    else never equal to it: what a program says of equality is no evidence. Arithmetic with a plain value is asked only
    of objects that the test made itself, for the same reason.
    """

    __slots__ = ("_held", "_is_class", "_kind", "_made", "_number", "_peer")

    def __init__(self, peer: "Peer", number: int, kind: str, is_class: bool, held: Any) -> None:
        put = object.__setattr__
        put(self, "_peer", peer)
        put(self, "_number", number)
        put(self, "_kind", kind)
        put(self, "_is_class", is_class)
        put(self, "_held", held)
        put(self, "_made", False)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        result = _ask(self, "call", list(arguments), named)
        if _part(self, "_is_class") and type(result) is Remote:
            object.__setattr__(result, "_made", True)
        return result

    def __getattr__(self, name: str) -> Any:
        if name in ("__name__", "__qualname__") and _part(self, "_is_class"):
            return _part(self, "_kind")
        return _ask(self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delete", name)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "set item", key, value)

    def __delitem__(self, key: Any) -> None:
        _ask(self, "delete item", key)

    def __iter__(self) -> Any:
        held = _part(self, "_held")
        return iter(held) if held is not None else _ask(self, "iter")

    def __next__(self) -> Any:
        return _ask(self, "next")

    def __contains__(self, value: Any) -> bool:
        if type(value) is Remote or _part(self, "_made"):
            return bool(_ask(self, "contains", value))
        return any(value is each or value == each for each in self)

    def __hash__(self) -> int:
        held = _part(self, "_held")
        return hash(held) if held is not None else hash(id_of(self))

    def __eq__(self, other: object) -> bool:
        mine, theirs = _plain(self), _plain(other)
        if type(mine) is Remote and type(theirs) is Remote:
            return id_of(mine) == id_of(theirs) or bool(_ask(mine, "eq", theirs))
        return type(mine) is not Remote and type(theirs) is not Remote and bool(mine == theirs)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __instancecheck__(self, value: Any) -> bool:
        return type(value) is Remote and bool(_part(self, "_peer").ask("is instance", value, self))

    def __subclasscheck__(self, value: Any) -> bool:
        return type(value) is Remote and bool(_part(self, "_peer").ask("is subclass", value, self))

    def __format__(self, form: str) -> str:
        return str(_ask(self, "format", form))

    def __str__(self) -> str:
        return str(_ask(self, "str"))

    def __repr__(self) -> str:
        return str(_ask(self, "repr"))

    def __round__(self, *digits: int) -> Any:
        held = _part(self, "_held")
        return round(held, *digits) if held is not None else _ask(self, "round", list(digits))

    def __enter__(self) -> Any:
        return _ask(self, "enter")

    def __exit__(self, *_: object) -> bool:
        return bool(_ask(self, "exit"))


def _part(remote: Remote, name: str) -> Any:
    return object.__getattribute__(remote, name)


def _ask(remote: Remote, operation: str, *arguments: Any) -> Any:
    return _part(remote, "_peer").ask(operation, remote, *arguments)


def _plain(value: Any) -> Any:
    """The value that an object holds; the object if it holds none."""
    held = _part(value, "_held") if type(value) is Remote else None
    return value if held is None else held


def _add_unary(name: str, function: Callable[[Any], Any]) -> None:
    def method(self: Remote) -> Any:
        held = _part(self, "_held")
        return function(held) if held is not None else _ask(self, name)

    setattr(Remote, f"__{name}__", method)


def _add_binary(name: str, function: Callable[[Any, Any], Any], *, reflects: bool) -> None:
    def compute(self: Remote, left: Any, right: Any) -> Any:
        left, right = _plain(left), _plain(right)
        if type(left) is not Remote and type(right) is not Remote:
            return function(left, right)
        other = right if left is self else left
        if type(other) is not Remote and not (reflects and _part(self, "_made")):
            raise TypeError(f"{_part(self, '_kind')}: this object of the program is no plain value")
        result = _part(self, "_peer").ask(name, left, right)
        if type(result) is Remote:
            object.__setattr__(result, "_made", True)
        return result

    setattr(Remote, f"__{name}__", lambda self, other: compute(self, self, other))
    if reflects:
        setattr(Remote, f"__r{name}__", lambda self, other: compute(self, other, self))


for _name, _function in UNARY.items():
    if _name not in ("iter", "str", "repr"):
        _add_unary(_name, _function)
for _name, _function in ORDER.items():
    _add_binary(_name, _function, reflects=False)
for _name, _function in BINARY.items():
    _add_binary(_name, _function, reflects=True)
