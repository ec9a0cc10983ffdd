"""``calculate_output`` of a multi grader: arithmetic over the scores of its graders, and nothing else.

Numbers, names, ``+ - * / // % **``, signs, brackets, and ``min max abs floor ceil exp sqrt log``. The text is parsed
by Python's own parser and walked; it is never evaluated as code.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping

from reward_gateway.errors import InvalidRequest

LONGEST = 1000
"""Characters of a formula."""

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_CALLS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}


class Formula:
    """A formula that has been checked.

    Args:
        names: what it may speak of.

    Raises:
        InvalidRequest: it is no such arithmetic, or speaks of something else.
    """

    def __init__(self, text: str, names: Mapping[str, object], param: str) -> None:
        self._param = param
        if len(text) > LONGEST:
            raise self._refused(f"is longer than {LONGEST} characters")
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._refused("is no arithmetic") from None
        try:
            self._check(self._tree, names)
        except RecursionError:
            raise self._refused("is nested too deep") from None

    def __call__(self, scores: Mapping[str, float]) -> float:
        """The value. Raises InvalidRequest where it has none (a division by zero, a root of less than nothing)."""
        try:
            value = float(self._value(self._tree, scores))
        except (ArithmeticError, ValueError, TypeError):
            value = math.nan
        if not math.isfinite(value):
            raise self._refused("has no finite value for these scores")
        return value

    def _check(self, node: ast.expr, names: Mapping[str, object]) -> None:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return
            case ast.Name(id=name):
                if name not in names:
                    raise self._refused(f"names no grader; there are: {', '.join(names) or 'none'}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                self._check(left, names)
                self._check(right, names)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                self._check(operand, names)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLS and args:
                for arg in args:
                    self._check(arg, names)
            case _:
                raise self._refused("is no arithmetic that is known here")

    def _value(self, node: ast.expr, scores: Mapping[str, float]) -> float:
        match node:
            case ast.Constant(value=value):
                return float(value)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return scores[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self._value(left, scores), self._value(right, scores))
            case ast.UnaryOp(op=op, operand=operand):
                return _UNARY[type(op)](self._value(operand, scores))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _CALLS[name](*(self._value(arg, scores) for arg in args))
        raise ValueError

    def _refused(self, what: str) -> InvalidRequest:
        return InvalidRequest(f"{self._param}: the formula {what}", param=self._param)
