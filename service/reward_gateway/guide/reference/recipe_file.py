"""Recipe file: every key of ``rewards.yaml``, from the models that read it."""

from collections.abc import Mapping

from pydantic import BaseModel

from reward_gateway.operations.guards import GUARDS
from reward_gateway.recipes.condition_compiler import ComponentTest, GroupTest, ShareTest
from reward_gateway.recipes.schema import json_schema

from ..tables import write_code, write_keys, write_objects

_HEAD = """# Recipe file

Look up a key of `rewards.yaml`: its type, its default, and what it does. To learn to write recipes, begin with
[write a recipe](../recipes/index.md). The operations that components, transforms, combiners and credit assignments name
are listed in [operations](operations.md).

```yaml recipe
default: helpful
rewards:
  helpful:
    description: Agreement with the reference, shortened answers preferred.
    components:
      close: {score: rouge}
      brevity: {score: length_penalty, params: {free_words: 60, per_word: 0.01}}
    guards: [empty_response]
    combine: {weighted_sum: {weights: {close: 1.0, brevity: 0.5}}}
    group: {normalize: zscore}
model_aliases: {gpt-4o: helpful}
```

The file is set by `--rewards-file` and reloaded when it changes; a faulty one is reported in the log, and the recipes
before stay. Check it first: `reward-gateway rewards check rewards.yaml` lists every fault with file, line and column.
An unknown key is a fault. Editors complete and check keys by the JSON Schema at `GET /v1/rewards.schema.json`.

## How steps are written

A transform, a combiner, a credit assignment or a guard is written as its name, or as a mapping of its name to its
arguments: `clip`, or `{clip: {low: -1, high: 1}}`. An argument with the name of one of the operation's parameters sets
it; one with the name of an item's field says where that field is read:

| written | the field is |
|---|---|
| a number or a list | that constant, for every sample |
| `{feature: NAME}` | `features.NAME` of the sample |
| `{sample: FIELD}` | the sample's own `prompt`, `response`, `reference`, `steps`, `group` or `id` |
| `{component: NAME}` | the value of an earlier component |
| `{stored: NAME}` | a stored set of reference rewards, one for all prompts |
| `{quantile: Q}` | the reference rewards stored for the sample's prompt, taken at that quantile |
| `{references: stored}` | the reference rewards stored for the sample's prompt, all of them |

A field without such an argument is read from the sample's field of that name, or else from its `features`. Guards take
`action` (`flag`, `zero` or `invalid`) besides their parameters: %s.
"""
_TITLES = {
    "": "The file",
    "RecipeSpec": "A recipe",
    "ComponentSpec": "A component",
    "RoutedScore": "Components by cases",
    "CaseSpec": "A case",
    "GroupSpec": "Groups",
    "CohortSpec": "Cohorts",
    "KeepSpec": "Which groups are kept",
    "LengthFeature": "Lengths",
    "AwaitedModel": "Awaited models",
    "CanarySpec": "Canaries",
    "JudgeSpec": "Recipes as judges",
    "LabelSpec": "Labels of a judge",
    "ExperimentSpec": "Experiments",
}
_CONDITIONS = """
## Conditions

`when` of a component is a mapping, and the component is computed where all of it holds:

```yaml recipe
rewards:
  staged:
    components:
      correct: {score: math_equivalence}
      brevity:
        score: length_penalty
        params: {free_words: 60, per_word: 0.01}
        when: {correct: {at_least: 1}, metadata.task: {equals: math}}
        otherwise: 0
    combine: {weighted_sum: {weights: {correct: 1.0, brevity: 0.5}}}
```

| written | holds where |
|---|---|
| `NAME: {…}` | the value of the component NAME, after its transforms, passes [the test](#test-of-a-component) |
| `group: {…}` | the valid members of the sample's group pass [the test](#test-of-a-group) |
| `has: KEY`, or a list of keys | the sample has that field, `features.NAME` or `metadata.NAME` (all of the list) |
| `KEY: {equals: VALUE}` | the sample's key has that value |
| `sample: SHARE`, with `by: group` | the sample, or its group, is among that share of all |
| `any: [{…}, …]` | at least one of these holds |
"""
_TESTS: Mapping[str, type[BaseModel]] = {
    "Test of a component": ComponentTest,
    "Test of a group": GroupTest,
    "Share of the samples": ShareTest,
}


def write_page() -> str:
    """The page: how steps are written, a table for each object of the file, and conditions."""
    guards = ", ".join(map(write_code, sorted(GUARDS)))
    parts = [_HEAD % guards, write_objects(json_schema(), _TITLES), _CONDITIONS]
    parts += [f"### {title}\n\n{write_keys(test.model_json_schema())}" for title, test in _TESTS.items()]
    return "\n".join(parts)
