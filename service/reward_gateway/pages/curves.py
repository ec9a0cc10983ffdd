"""Plots of operations that are a function of one number, drawn by calling the operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.operations.apply import parse_items, parse_params, run, run_pure
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.registry import Operation
from reward_gateway.sample import FloatArray

from .html import Html, el

POINTS = 241
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 300, 54, 40, 14, 16

Item = Callable[[float], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A plot of the reward over one number.

    Attributes:
        lines: label -> function from x to the item; one line per label.
        axis: name of x.
        caption: the parameters in words, if they are not only defaults.
    """

    low: float
    high: float
    lines: Mapping[str, Item]
    params: Mapping[str, Any] = field(default_factory=dict)
    axis: str = "reward"
    caption: str = ""


def _reward_line(**more: Any) -> dict[str, Item]:
    return {"": lambda x: {"reward": x, **more}}


def _length(**more: Any) -> dict[str, Item]:
    return {"": lambda x: {"response": "", "length": x, **more}}


CURVES: dict[str, Curve] = {
    "transform/affine": Curve(-3, 3, _reward_line(), {"scale": 0.5, "shift": 1.0}, caption="scale .5, shift 1"),
    "transform/clip": Curve(-3, 3, _reward_line(), {"low": -1.0, "high": 1.0}, caption="low −1, high 1"),
    "transform/log": Curve(0.01, 3, _reward_line()),
    "transform/log_sigmoid": Curve(-5, 5, _reward_line(reference=0.0), caption="reference 0"),
    "transform/minmax": Curve(0, 6, _reward_line(), {"low": 1.0, "high": 5.0}, caption="low 1, high 5"),
    "transform/par": Curve(-6, 6, _reward_line(reference_rewards=[0.0]), caption="one reference reward, 0"),
    "transform/power": Curve(-2, 2, _reward_line(), {"exponent": 2.0}, caption="exponent 2"),
    "transform/quantile": Curve(
        -1, 4, _reward_line(reference_rewards=[0.0, 1.0, 1.5, 3.0]), caption="reference rewards 0, 1, 1.5 and 3"
    ),
    "transform/sigmoid": Curve(-6, 6, _reward_line()),
    "transform/symlog": Curve(-100, 100, _reward_line()),
    "transform/tanh": Curve(-4, 4, _reward_line()),
    "transform/bounded_confidence": Curve(
        0, 1, _reward_line(friends=[0.3, 0.8]), caption="friends at .3 and .8, radius .2", axis="own rating"
    ),
    "transform/distance_reward": Curve(
        0, 10_000, {"": lambda x: {"distance": x}}, {"scale": 2300.0}, axis="distance", caption="scale 2,300"
    ),
    "transform/mmrlhf_beta": Curve(-3, 10, {"": lambda x: {"margin": x}}, axis="margin of the reward model"),
    "transform/sign_scale": Curve(
        -1,
        1,
        {
            "sparse 0": lambda x: {"sparse": 0.0, "dense": x},
            "sparse 1": lambda x: {"sparse": 1.0, "dense": x},
        },
        axis="dense reward",
    ),
    "score/length_penalty": Curve(
        0, 500, {"": lambda x: {"response": "w " * round(x)}}, axis="words", caption="300 words free, .01 per word"
    ),
    "score/overlong_penalty": Curve(
        0,
        24_576,
        _length(),
        {"max_length": 20_480.0, "cache": 4_096.0},
        axis="tokens",
        caption="limit 20,480, penalty over the last 4,096",
    ),
    "score/linear_length": Curve(0, 4_000, _length(), {"target": 2_000.0}, axis="length", caption="target 2,000"),
    "score/cosine_length": Curve(
        0,
        110,
        {
            "correct": lambda x: {"response": "", "length": x, "correct": True},
            "wrong": lambda x: {"response": "", "length": x, "correct": False},
        },
        {"max_length": 100.0},
        axis="length",
        caption="limit 100",
    ),
    "score/verify_rm": Curve(
        -6, 6, {"": lambda x: {"logit": x}}, {"binary": False}, axis="logit", caption="binary off"
    ),
    "audit/bradley_terry": Curve(
        -6, 6, {"": lambda x: {"chosen": x, "rejected": 0.0}}, axis="score of chosen (rejected: 0)"
    ),
}


def compute_lines(operation: Operation, curve: Curve) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Compute the points of a plot: x [POINTS], and the reward at each x per line.

    Raises:
        TypeError: the operation yields an effect.
    """
    xs = np.linspace(curve.low, curve.high, POINTS)
    params = parse_params(operation, dict(curve.params))
    lines = {}
    for name, item in curve.lines.items():
        items, _, _ = parse_items(operation, [item(float(x)) for x in xs])
        columns = Columns.of_items(items, list(operation.item.model_fields))
        outcome = run_pure(run(operation, columns, params))
        assert outcome.reward is not None
        lines[name] = outcome.reward
    return xs, lines


def draw_plot(operation: Operation) -> Html | None:
    """Draw the plot of an operation as SVG with its caption; None if it has no plot."""
    curve = CURVES.get(f"{operation.kind}/{operation.name}")
    if curve is None:
        return None
    xs, lines = compute_lines(operation, curve)
    ys = np.concatenate(list(lines.values()))
    x_ticks, y_ticks = choose_ticks(curve.low, curve.high), choose_ticks(float(ys.min()), float(ys.max()))
    bottom, top = min(y_ticks[0], float(ys.min())), max(y_ticks[-1], float(ys.max()))

    def x_at(x: float) -> float:
        return LEFT + (x - curve.low) / (curve.high - curve.low) * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        return HEIGHT - BOTTOM - (y - bottom) / (top - bottom) * (HEIGHT - BOTTOM - TOP)

    grid = [
        (
            el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=round(y_at(y), 1), y2=round(y_at(y), 1), class_="axis"),
            el("text", format_tick(y), x=LEFT - 8, y=round(y_at(y) + 4, 1), text_anchor="end", class_="soft"),
        )
        for y in y_ticks
    ]
    below = [
        el("text", format_tick(x), x=round(x_at(x), 1), y=HEIGHT - BOTTOM + 18, text_anchor="middle", class_="soft")
        for x in x_ticks
    ]
    drawn = []
    for place, (name, line) in enumerate(lines.items()):
        points = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in zip(xs.tolist(), line.tolist(), strict=True))
        drawn.append(el("polyline", points=points, class_="curve second" if place else "curve"))
        if name:
            drawn.append(el("text", name, x=round(x_at(float(xs[8]))), y=round(y_at(float(line[8])) - 8, 1)))
    axis = el("text", curve.axis, x=(WIDTH + LEFT) / 2, y=HEIGHT - 4, text_anchor="middle", class_="soft")
    title = f"{operation.name} over {curve.axis}"
    box = f"0 0 {WIDTH} {HEIGHT}"
    svg = el("svg", el("title", title), grid, below, drawn, axis, viewBox=box, width=WIDTH, height=HEIGHT, role="img")
    return el("figure", svg, el("figcaption", curve.caption, class_="note") if curve.caption else None)


def choose_ticks(low: float, high: float) -> list[float]:
    """About five round numbers within a range."""
    span = high - low or 1.0
    rough = 10 ** np.floor(np.log10(span / 5))
    step = float(next(rough * k for k in (1, 2, 5, 10) if span / (rough * k) <= 6))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(k * step, 10) for k in range(first, max(last, first + 1) + 1)]


def format_tick(value: float) -> str:
    """Format the number of a tick."""
    return f"{value:,.6g}".replace("-", "−")
