"""Compiles ``when`` of a component: the written conditions to :mod:`.conditions`, with every fault and its path.

The grammar, several keys of one mapping joined by *and*:

* ``NAME: {at_least | above | below | equals: NUMBER}``: of the value of a component, after its transforms;
  ``flag: FLAG``: its scorer raised the flag; ``valid: true | false``: an optional one has a value, or has none;
* ``group: {spread_of | mean_of: NAME, above: NUMBER, …}``: of a component over the valid members of the group;
* ``has: KEY`` (a list: all of them), where a key is a field of the sample, ``features.NAME`` or ``metadata.NAME``;
  ``KEY: {equals: VALUE}``, or ``has: KEY, equals: VALUE``: what is there;
* ``sample: SHARE``: of the samples; with ``by: group`` of the groups, with all their samples;
* ``any: [{…}, …]``: one of these at least.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reward_gateway.sample.fields import OF_METADATA

from .conditions import GROUP, SAMPLE, AnyOf, Bounds, Condition, OfComponent, OfGroup, OfKey, OfShare
from .locations import Path
from .sample_keys import FEATURE, explain_unknown_key
from .suggestions import did_you_mean
from .unknown_keys import explain_fault

RESERVED = frozenset((GROUP, SAMPLE, "by", "has", "equals", "any"))
"""Keys of a condition that are no names of components."""

MOST_LEVELS = 8
"""Deepest nesting of ``any``."""


class _Test(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class NumberTest(_Test):
    """What has to hold of a number."""

    at_least: float | None = Field(None, description="The number is this or more.")
    above: float | None = Field(None, description="It is more than this.")
    below: float | None = Field(None, description="It is less than this.")
    equals: float | None = Field(None, description="It is this.")

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.at_least, self.above, self.below, self.equals)


class ComponentTest(NumberTest):
    """What has to hold of a component that is computed before."""

    flag: str | None = Field(None, min_length=1, description="Its scorer raised this flag.")
    valid: bool | None = Field(None, description="Of an optional component: it has a value (true), or none (false).")


class GroupTest(NumberTest):
    """What has to hold within the group."""

    spread_of: str | None = Field(None, description="The component whose largest minus smallest value is meant.")
    mean_of: str | None = Field(None, description="The component whose mean is meant.")


class KeyTest(_Test):
    """What has to hold of a key of the sample."""

    equals: str | bool | float = Field(description="The value that the sample has there.")


class ShareTest(_Test):
    """Which share of the samples."""

    sample: float = Field(gt=0, le=1, description="The share.")
    by: Literal["group"] | None = Field(None, description="group: a share of the groups, with all their samples.")


def when_schema() -> dict[str, Any]:
    """JSON Schema of the conditions of a component."""
    share = ShareTest.model_json_schema()["properties"]
    return {
        "type": "object",
        "minProperties": 1,
        "description": "The component is computed only where this holds; several keys are joined by and.",
        "properties": {
            GROUP: GroupTest.model_json_schema(),
            **share,
            "has": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
            "equals": KeyTest.model_json_schema()["properties"]["equals"],
            "any": {"type": "array", "items": {"type": "object"}, "minItems": 1},
        },
        "additionalProperties": {"anyOf": [ComponentTest.model_json_schema(), KeyTest.model_json_schema()]},
    }


class ConditionCompiler:
    """Compiles the conditions of one recipe.

    Args:
        components: names of the components that conditions may read, each with whether it is optional.
        unreadable: names of others, with the reason.
        cohort: groups are collected across requests.
        add_fault: takes the path within the recipe, and what is wrong there.
    """

    def __init__(
        self,
        components: Mapping[str, bool],
        unreadable: Mapping[str, str],
        cohort: bool,
        add_fault: Callable[[Path, str], None],
    ) -> None:
        self._components, self._unreadable, self._cohort = components, unreadable, cohort
        self._add_fault = add_fault

    def compile(self, written: Any, path: Path, level: int = 1) -> tuple[Condition, ...]:
        """The conditions of one mapping, in the order in which they are written; those with faults are left out."""
        if not isinstance(written, Mapping) or not written:
            self._add_fault(path, "conditions are a mapping, for example {correct: {at_least: 1}}")
            return ()
        if level > MOST_LEVELS:
            self._add_fault(path, f"conditions are nested deeper than {MOST_LEVELS} levels")
            return ()
        return tuple(self._compile_keys(written, path, level))

    def _compile_keys(self, written: Mapping[Any, Any], path: Path, level: int) -> Iterator[Condition]:
        if "by" in written and SAMPLE not in written:
            self._add_fault((*path, "by"), "`by` belongs to `sample`")
        if "equals" in written and not isinstance(written.get("has"), str):
            self._add_fault((*path, "equals"), "`equals` belongs to `has` with one key of the sample")
        for key, value in written.items():
            here = (*path, str(key))
            if key == SAMPLE:
                given = {name: written[name] for name in (SAMPLE, "by") if name in written}
                share = self._parse(ShareTest, given, path)
                if share is not None:
                    yield OfShare(share.sample, share.by is not None)
            elif key == "any":
                if (alternatives := self._compile_any(value, here, level)) is not None:
                    yield alternatives
            elif key == "has":
                yield from self._compile_has(value, written, path)
            elif key == GROUP:
                if (of_group := self._compile_group(value, here)) is not None:
                    yield of_group
            elif key not in ("by", "equals") and (condition := self._compile_named(str(key), value, here)) is not None:
                yield condition

    def _compile_named(self, name: str, value: Any, path: Path) -> Condition | None:
        if name in self._components or name in self._unreadable or not name.startswith((FEATURE, OF_METADATA)):
            return self._compile_component(name, value, path)
        if explain_unknown_key(name):
            self._add_fault(path, explain_unknown_key(name))
            return None
        test = self._parse(KeyTest, value, path)
        return None if test is None else OfKey(name, test.equals)

    def _compile_component(self, name: str, value: Any, path: Path) -> Condition | None:
        if not self._check_component(name, path):
            return None
        test = self._parse(ComponentTest, value, path)
        if test is None:
            return None
        if test.valid is not None and not self._components[name]:
            self._add_fault((*path, "valid"), f"{name} is not `optional`, so that every sample with a reward has it")
        if not test.bounds.given and test.flag is None and test.valid is None:
            self._add_fault(path, "say what has to hold: at_least, above, below, equals, flag or valid")
            return None
        return OfComponent(name, test.bounds, test.flag, test.valid)

    def _compile_group(self, value: Any, path: Path) -> Condition | None:
        test = self._parse(GroupTest, value, path)
        if test is None:
            return None
        if self._cohort:
            self._add_fault(path, "the members of a cohort are known only after all components: drop one")
        if (test.spread_of is None) == (test.mean_of is None):
            self._add_fault(path, "name one component: `spread_of` or `mean_of`")
            return None
        if not test.bounds.given:
            self._add_fault(path, "say what has to hold: at_least, above, below or equals")
        name = test.spread_of or test.mean_of or ""
        key = "mean_of" if test.spread_of is None else "spread_of"
        return OfGroup(name, test.bounds, key == "mean_of") if self._check_component(name, (*path, key)) else None

    def _compile_has(self, value: Any, written: Mapping[Any, Any], path: Path) -> Iterator[Condition]:
        keys = value if isinstance(value, list) else [value]
        test = self._parse(KeyTest, {"equals": written["equals"]}, path) if "equals" in written else None
        path = (*path, "has")
        if not keys or not all(isinstance(key, str) for key in keys):
            self._add_fault(path, "`has` takes a key of the sample, or a list of keys")
            return
        for key in keys:
            if fault := explain_unknown_key(key):
                self._add_fault(path, fault)
            else:
                yield OfKey(key, None if test is None else test.equals)

    def _compile_any(self, value: Any, path: Path, level: int) -> Condition | None:
        if not isinstance(value, list) or not value:
            self._add_fault(path, "`any` takes a list of conditions: [{…}, {…}]")
            return None
        alternatives = [self.compile(written, (*path, i), level + 1) for i, written in enumerate(value)]
        return AnyOf(tuple(alternatives)) if all(alternatives) else None

    def _check_component(self, name: str, path: Path) -> bool:
        """Whether conditions may read a component; adds a fault if not."""
        if name in self._components:
            return True
        reason = self._unreadable.get(name)
        if reason is None:
            reason = f"there is no component {name!r}{did_you_mean(name, [*self._components, *RESERVED])}"
        self._add_fault(path, reason)
        return False

    def _parse(self, test: type[Any], value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            self._add_fault(path, f"takes a mapping of what has to hold: {', '.join(test.model_fields)}")
            return None
        try:
            return test.model_validate(value)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                self._add_fault((*path, *fault["loc"][:1]), explain_fault(fault, test))
            return None
