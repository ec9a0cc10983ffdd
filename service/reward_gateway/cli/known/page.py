"""The page of a family: its facts, and what to paste, in Markdown."""

from collections.abc import Iterator
from typing import Any

import yaml

from .family import Family

WIDTH = 120


def write_page(family: Family) -> str:
    """The page."""
    return "\n".join([*_write_facts(family), *_write_ways(family)])


def _write_facts(family: Family) -> Iterator[str]:
    yield f"# {family.title}"
    facts = {
        "name": family.name,
        "scores": family.scores,
        "reads": ", ".join(family.form),
        "hub": ", ".join(family.hub),
        "class": family.architecture,
        "layout": family.layout,
        "prompt": family.prompt,
        "dimensions": ", ".join(family.dimensions),
        "licence": family.licence,
        "served by": ", ".join(family.ways) or "nothing yet",
        "tried": _describe_trial(family),
        "unverified": ", ".join(family.unverified),
        "source": " ".join(family.sources),
    }
    yield from (f"{name + ':':13}{fact}" for name, fact in facts.items() if fact)
    if family.note:
        yield f"\n{family.note}"


def _describe_trial(family: Family) -> str:
    if family.tried == "scores":
        return "the command below, on a tiny random checkpoint of this layout, whose scores are those of torch"
    if family.tried == "loads":
        names = ", ".join(family.loads)
        return f"transformers loads tiny random checkpoints of {names}; scores were not compared"
    return f"nothing: {family.untried}"


def _write_ways(family: Family) -> Iterator[str]:
    for way in family.ways:
        recommended = " (recommended)" if way == family.way and len(family.ways) > 1 else ""
        if way == "convert" and family.convert is not None:
            yield from _write_section(f"Convert it{recommended}", "bash", family.convert.command)
        elif way == "upstream" and family.upstream is not None:
            yield from _write_section(
                f"Serve it, and name it as an upstream{recommended}", "bash", family.upstream.serve
            )
            yield from _write_block("yaml", _dump({"upstreams": {family.upstream.name: family.upstream.entry}}))
        elif way == "judge" and family.judge is not None:
            yield from _write_section(f"Serve it, and name it as a judge{recommended}", "bash", family.judge.serve)
            yield from _write_block("yaml", _dump({"judges": [family.judge.entry]}))
    for name, content in family.files.items():
        yield from _write_section(f"The file {name}", "", content)
    if family.recipe is not None:
        yield from _write_section("A recipe", "yaml", _dump(family.recipe))


def _write_section(title: str, language: str, content: str) -> Iterator[str]:
    yield f"\n## {title}"
    yield from _write_block(language, content)


def _write_block(language: str, content: str) -> Iterator[str]:
    yield f"\n```{language}\n{content.rstrip()}\n```"


def _dump(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None)
