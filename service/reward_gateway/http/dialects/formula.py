"""``calculate_output`` of a multi grader: arithmetic over the scores of its graders, and nothing else.

Numbers, names, ``+ - * / // % **``, signs, brackets, and ``min max abs floor ceil exp sqrt log``. The text is parsed
by Python's parser and its tree is evaluated here; it is never executed as code.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping

from reward_gateway.errors import InvalidRequest

LONGEST = 1000
"""Maximum characters of a formula."""

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
    """A checked formula.

    Args:
        names: the names that it may use.

    Raises:
        InvalidRequest: it is not such arithmetic, or uses another name.
    """

    def __init__(self, text: str, names: Mapping[str, object], param: str) -> None:
        self._param = param
        if len(text) > LONGEST:
            raise self._refusal(f"is longer than {LONGEST} characters")
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._refusal("is not arithmetic") from None
        try:
            self._check_node(self._tree, names)
        except RecursionError:
            raise self._refusal("is nested too deep") from None

    def __call__(self, scores: Mapping[str, float]) -> float:
        """The value. Raises InvalidRequest if it is not finite (division by zero, root of a negative number)."""
        try:
            value = float(self._evaluate(self._tree, scores))
        except (ArithmeticError, ValueError, TypeError):
            value = math.nan
        if not math.isfinite(value):
            raise self._refusal("has no finite value for these scores")
        return value

    def _check_node(self, node: ast.expr, names: Mapping[str, object]) -> None:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return
            case ast.Name(id=name):
                if name not in names:
                    raise self._refusal(f"uses a name that is not a grader; known: {', '.join(names) or 'none'}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                self._check_node(left, names)
                self._check_node(right, names)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                self._check_node(operand, names)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLS and args:
                for arg in args:
                    self._check_node(arg, names)
            case _:
                raise self._refusal(
                    "uses syntax that is not supported: numbers, names, operators and known functions are"
                )

    def _evaluate(self, node: ast.expr, scores: Mapping[str, float]) -> float:
        match node:
            case ast.Constant(value=value):
                return float(value)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return scores[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self._evaluate(left, scores), self._evaluate(right, scores))
            case ast.UnaryOp(op=op, operand=operand):
                return _UNARY[type(op)](self._evaluate(operand, scores))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _CALLS[name](*(self._evaluate(arg, scores) for arg in args))
        raise ValueError

    def _refusal(self, what: str) -> InvalidRequest:
        return InvalidRequest(f"{self._param}: the formula {what}", param=self._param)
