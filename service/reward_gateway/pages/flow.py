"""A recipe's plan as a diagram: components on the left, by stages, their transforms, and one reward on the right."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from reward_gateway.operations.registry import Operation
from reward_gateway.recipes.component_plan import ComponentPlan
from reward_gateway.recipes.plan import Plan

from .html import Html, el
from .site import Place, operation_path

BOX_HEIGHT, ROW, GAP, MARGIN = 40, 64, 34, 12
CHARACTER = 7.3


@dataclass(slots=True)
class Box:
    """A step of the plan, with a link to the page of its operation."""

    text: str
    below: str = ""
    operation: Operation | None = None
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return max(64.0, CHARACTER * max(len(self.text), len(self.below)) + 20)


@dataclass(slots=True)
class _Drawing:
    boxes: list[Box] = field(default_factory=list)
    arrows: list[tuple[Box, Box]] = field(default_factory=list)

    def chain(self, boxes: Sequence[Box]) -> None:
        """Connect boxes in a row, each to the next."""
        self.arrows += pairwise(boxes)


def draw_flow(place: Place, plan: Plan) -> Html:
    """Draw the diagram as SVG; boxes link to the pages of their operations."""
    drawing = _Drawing()
    parts = plan.parts
    rows = [_boxes_of_part(part) for part in parts]
    _place_rows(plan, rows)
    for boxes in rows:
        drawing.boxes += boxes
        drawing.chain(boxes)
    drawing.arrows += _conditions(plan, rows)
    tail = _boxes_of_tail(plan)
    x = max(box.x + box.width for box in drawing.boxes) + GAP
    for box in tail:
        box.x, box.y = x, MARGIN + (len(rows) - 1) * ROW / 2
        x += box.width + GAP
    for part, boxes in zip(parts, rows, strict=True):
        if part.audit:
            continue
        outside = part.name in plan.add and plan.combine is not None and len(tail) > 1
        drawing.arrows.append((boxes[-1], tail[1] if outside else tail[0]))
    drawing.boxes += tail
    drawing.chain(tail)
    width, height = x - GAP + MARGIN, 2 * MARGIN + BOX_HEIGHT + (len(rows) - 1) * ROW
    marker = el(
        "marker",
        el("path", d="M0 0L8 4L0 8z", class_="soft"),
        id="head",
        viewBox="0 0 8 8",
        refX="8",
        refY="4",
        markerWidth="7",
        markerHeight="7",
        orient="auto",
    )
    svg = el(
        "svg",
        el("title", f"How {plan.name} is computed"),
        el("defs", marker),
        (_draw_arrow(a, b) for a, b in drawing.arrows),
        (_draw_box(place, box) for box in drawing.boxes),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="group",  # not an image: its boxes are links
    )
    return el("div", svg, class_="scroll")


def _place_rows(plan: Plan, rows: Sequence[Sequence[Box]]) -> None:
    """Place the boxes of each component, or case, in a row; those of a later stage begin behind the stage before."""
    stages = plan.stages or (plan.components,)
    start: float = MARGIN
    for stage in stages:
        ends = [start]
        names = {component.name for component in stage}
        for row, (part, boxes) in enumerate(zip(plan.parts, rows, strict=True)):
            if part.name not in names:
                continue
            x = start
            for box in boxes:
                box.x, box.y = x, MARGIN + row * ROW
                x += box.width + GAP
            ends.append(x)
        start = max(ends)


def _conditions(plan: Plan, rows: Sequence[Sequence[Box]]) -> list[tuple[Box, Box]]:
    """Arrows from what conditions read to the components that have them."""
    if not plan.stages:
        return []
    needs = {component.name: component.needs for component in plan.components}
    placed = list(zip(plan.parts, rows, strict=True))
    return [
        (before[-1], boxes[0]) for part, boxes in placed for other, before in placed if other.name in needs[part.name]
    ]


def _boxes_of_part(part: ComponentPlan) -> list[Box]:
    if part.step is not None:
        first = Box(part.name, part.step.operation.name, part.step.operation)
    else:
        dimension = f" ({part.dimension})" if part.dimension else ""
        first = Box(part.name, f"{part.model}{dimension}")
    if part.case:
        first.below = f"{part.case}: {first.below}"
    if part.audit:
        first.below += ", audit"
    return [first, *(Box(step.operation.name, "transform", step.operation) for step in part.transforms)]


def _boxes_of_tail(plan: Plan) -> list[Box]:
    boxes = []
    if plan.combine is not None:
        boxes.append(Box(plan.combine.operation.name, "combine", plan.combine.operation))
        if plan.add:
            boxes.append(Box("+", "add"))
    if plan.group.cohort is not None:
        boxes.append(Box("cohort", f"{plan.group.cohort.size} samples"))
    if plan.group.compares:
        within = " and ".join(f"in the {each}" for each in sorted(plan.group.compared_within))
        boxes.append(Box(plan.group.way, within))
    if plan.credit is not None:
        boxes.append(Box(plan.credit.operation.name, "credit", plan.credit.operation))
    return [*boxes, Box("rewards" if plan.credit is not None else "reward")]


def _draw_arrow(a: Box, b: Box) -> Html:
    x, y, to_x, to_y = a.x + a.width, a.y + BOX_HEIGHT / 2, b.x - 2, b.y + BOX_HEIGHT / 2
    bend = to_x - GAP / 2
    path = f"M{x:.0f} {y:.0f}H{bend - GAP / 2:.0f}C{bend:.0f} {y:.0f} {bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
    return el("path", d=path, class_="arrow", marker_end="url(#head)")


def _draw_box(place: Place, box: Box) -> Html:
    middle, height = box.x + box.width / 2, BOX_HEIGHT
    name = el("text", box.text, x=round(middle, 1), y=box.y + (17 if box.below else 25), text_anchor="middle")
    if box.operation is not None:
        name = el("a", name, href=place.link_to(operation_path(box.operation.kind, box.operation.name)))
    return el(
        "g",
        el("rect", x=box.x, y=box.y, width=round(box.width, 1), height=height, rx=8, class_="box"),
        name,
        el("text", box.below, x=round(middle, 1), y=box.y + 32, text_anchor="middle", class_="soft")
        if box.below
        else None,
    )
