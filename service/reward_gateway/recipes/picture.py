"""A recipe as lines of text: its stages with their components, and how these become a reward.

Everything is read from the body of ``GET /v1/rewards/{name}``, so that a recipe of a running service is drawn as one of
a file is. The page of a recipe says in the same words where a component is computed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

import yaml

WIDTH, LONGEST_VALUE = 100, 60
"""Characters a line, and of one argument."""

_TESTS = {"at_least": "is at least", "above": "is above", "below": "is below", "equals": "is"}

Written = Mapping[str, Any]
"""A part of a recipe as its file has it."""


def draw_recipe(body: Written) -> list[str]:
    """Draw a recipe.

    Args:
        body: of ``GET /v1/rewards/{name}``, or :meth:`.Plan.describe`.
    """
    plan, recipe = body["plan"], body["recipe"]
    components: Written = recipe.get("components", {})
    lines = [f"{body['name']}  {body['version']}", *wrap(body["description"], WIDTH - 2)]
    traits = [trait for trait in ("grouped", "stateful") if body[trait]]
    reads = ", ".join(body["inputs"]) or "nothing"
    lines.append(f"reads {reads}; returns a {body['returns']}{''.join(f'; {trait}' for trait in traits)}")
    guards = plan["guards"]
    early = [guard for guard in guards if guard["reads_texts"]] if plan["stages"] else []
    if early:
        lines += ["", "before all else", *_draw_guards(early)]
    for i, stage in enumerate(plan["stages"] or [body["components"]], 1):
        lines += ["", f"stage {i}" if plan["stages"] else "components"]
        lines += _align([line for name in stage for line in _draw_component(name, components.get(name, {}), plan)])
    late = [guard for guard in guards if guard not in early]
    if late:
        lines += ["", "guards", *_draw_guards(late)]
    return [*lines, "", "reward" if body["returns"] == "scalar" else "rewards", *_draw_end(plan, recipe)]


def describe_use(written: Written) -> list[str]:
    """Where a component is computed, and what it is elsewhere: phrases.

    Args:
        written: the component as the recipe's file has it.
    """
    said = []
    if written.get("when"):
        said.append(describe_conditions(written["when"]))
    otherwise, seconds = written.get("otherwise"), written.get("timeout_s")
    if otherwise is not None and written.get("when"):
        said.append(f"otherwise {otherwise:g}")
    if seconds is not None:
        late = "invalid" if written.get("on_timeout") != "otherwise" else "absent" if otherwise is None else otherwise
        said.append(f"within {seconds:g} s, then {late if isinstance(late, str) else f'{late:g}'}")
    if written.get("optional"):
        said.append("optional")
    if written.get("audit"):
        said.append("an audit, outside the reward")
    return said


def describe_conditions(when: Written) -> str:
    """Conditions in words: ``where correct is at least 1 and it has reference``."""
    return f"where {_join_conditions(when)}"


def _join_conditions(when: Written) -> str:
    said = [phrase for key, value in when.items() if (phrase := _describe_condition(key, value, when))]
    return " and ".join(said)


def _describe_condition(key: str, value: Any, when: Written) -> str:
    match key:
        case "by" | "equals":
            return ""  # said with what it belongs to
        case "sample":
            return f"{'its group' if 'by' in when else 'it'} is in the share of {value:g}"
        case "has" if "equals" in when:
            return f"{value} is {_write(when['equals'])}"
        case "has":
            return f"it has {' and '.join(value if isinstance(value, list) else [value])}"
        case "any":
            return f"({' or '.join(map(_join_conditions, value))})"
        case "group":
            measured = (
                f"the spread of {value['spread_of']}" if "spread_of" in value else f"the mean of {value['mean_of']}"
            )
            return f"{measured} in its group {_describe_tests(value)}"
        case _:
            return f"{key} {_describe_tests(value)}"


def _describe_tests(value: Written) -> str:
    said = [f"{words} {_write(value[test])}" for test, words in _TESTS.items() if value.get(test) is not None]
    if value.get("flag") is not None:
        said.append(f"has the flag {value['flag']}")
    if value.get("valid") is not None:
        said.append("has a value" if value["valid"] else "has no value")
    return " and ".join(said)


Cells = tuple[str, str]
"""What stands on the left of a line, and on its right."""


def _draw_component(name: str, written: Written, plan: Written) -> Iterator[Cells]:
    described = plan["components"][name]
    if described["by"]:
        yield name, f"by {described['by']}; what has none of these is invalid"
        for case, part in written["score"]["cases"].items():
            yield f"  {case}", _draw_scorer(part, described["cases"][case])
    else:
        yield name, _draw_scorer(written, described)
    for phrase in describe_use(written):
        yield "", phrase


def _draw_scorer(written: Written, described: Written) -> str:
    if described["model"] is not None:
        dimension = f" ({described['dimension']})" if described["dimension"] else ""
        scorer = f"model {described['model']}{dimension}"
    else:
        scorer = _draw_step(described["score"]["operation"], {**written.get("params", {}), **written.get("inputs", {})})
    if written.get("text"):
        scorer += f", of {written['text']}"
    steps = zip(described["transforms"], written.get("transforms", ()), strict=False)
    transforms = [_draw_step(step["operation"], next(iter(given.values()), {})) for step, given in steps]
    return " → ".join([scorer, *transforms])


def _draw_step(operation: str, arguments: Written) -> str:
    shown = ", ".join(f"{key} {_write(value)}" for key, value in arguments.items())
    name = operation.rpartition("/")[2]
    return f"{name} ({shown})" if shown else name


def _draw_guards(guards: Sequence[Written]) -> list[str]:
    return _align([(guard["name"], guard["action"]) for guard in guards])


def _draw_end(plan: Written, recipe: Written) -> list[str]:
    """How the components become a reward."""
    lines: list[Cells] = []
    over = ", ".join(plan["over"])
    if plan["combine"] is not None:
        written = recipe.get("combine")
        name = plan["combine"]["operation"].rpartition("/")[2]
        arguments = written.get(name) or {} if isinstance(written, Mapping) else {}
        given = {key: value for key, value in arguments.items() if key != "over"}
        lines.append(("combine", f"{_draw_step(name, given)} of {over}"))
    elif over:
        lines.append(("of", over))
    lines += [("add", name) for name in plan["add"]]
    group = plan["group"]
    if group["normalize"] != "none":
        cohort = f", over cohorts of {group['cohort']['size']} samples" if group["cohort"] else ""
        lines.append(("group", f"{group['normalize']}{cohort}"))
    if plan["credit"] is not None:
        written = recipe.get("credit")
        arguments = next(iter(written.values()), {}) if isinstance(written, Mapping) else {}
        lines.append(("credit", _draw_step(plan["credit"]["operation"], arguments or {})))
    return _align(lines)


def _write(value: Any) -> str:
    """A value on one line, shortened where it is long."""
    if isinstance(value, (Mapping, list)):
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False).strip()
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _align(cells: Sequence[Cells]) -> list[str]:
    """Lines of two columns; what does not fit goes on below, in the second."""
    left = max((len(name) for name, _ in cells), default=0)
    lines: list[str] = []
    for name, text in cells:
        first, *more = wrap(text, max(20, WIDTH - left - 4), break_long_words=False) or [""]
        lines.append(f"  {name:<{left}}  {first}")
        lines += [f"  {'':<{left}}    {line}" for line in more]
    return lines
