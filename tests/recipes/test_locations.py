"""Every fault of a recipe file is told with the line and the column at which it stands."""

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.locations import format_path, parse_yaml


def test_paths_read_as_a_person_would_write_them() -> None:
    assert format_path(("rewards", "x", "transforms", 0, "clip")) == "rewards.x.transforms[0].clip"


def test_lines_and_columns_count_from_one() -> None:
    _, locations = parse_yaml("a:\n  b:\n    - 1\n    - 2\n")
    assert locations.find_place(("a", "b", 1)) == (4, 7)
    assert locations.find_place(("a", "b", "not written")) == (2, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rewards: {a: [}", "line 1"),
        ("rewards:\n  a: 1\n  a: 2\n", "duplicate key"),
        ("x: &x {y: 1}\nrewards: {a: *x, b: *x}\n", "aliases"),
        ("rewards: !!python/object/apply:os.system ['true']", "line 1"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidRecipe, match=says):
        load_book(text)


def test_all_faults_of_a_file_are_told_at_once() -> None:
    text = """
rewards:
  first:
    components:
      a: {score: given, inputs: {value: {feature: x}}, transforms: [{affine: {scale: high}}]}
      b: {score: given, inputs: {value: {feature: y}}, transforms: [{no_such_transform: {}}]}
    guards: [no_such_guard]
default: third
"""
    with pytest.raises(InvalidRecipe) as refused:
        load_book(text)
    faults = {(fault["path"], fault["place"]) for fault in refused.value.faults}
    assert ("rewards.first.components.a.transforms[0].affine.scale", "line 5, column 79") in faults
    assert ("rewards.first.components.b.transforms[0]", "line 6, column 69") in faults
    assert ("rewards.first.guards[0]", "line 7, column 14") in faults
    assert ("default", "line 8, column 1") in faults
    assert any(path == "rewards.first" for path, _ in faults), "two components and no combine"


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("rewards:\n  a: 1\n  a: 2\n", "rewards.a", "line 3, column 3"),
        ("x: &x {y: 1}\nrewards:\n  a: *x\n  b: *x\n", "rewards.a", "line 1, column 4"),
    ],
)
def test_a_fault_of_the_text_itself_has_its_path_and_its_place(text: str, path: str, place: str) -> None:
    with pytest.raises(InvalidRecipe) as refused:
        parse_yaml(text)
    (fault, *_) = refused.value.faults
    assert fault.keys() == {"path", "place", "message"}
    assert fault["path"] == path
    assert fault["place"] == place


def test_what_is_not_yaml_has_its_line_and_its_column() -> None:
    with pytest.raises(InvalidRecipe) as refused:
        parse_yaml("rewards:\n  a: [1, 2\nb: 3\n")
    assert refused.value.faults[0]["place"] == "line 3, column 2"
    assert refused.value.message.startswith("line 3, column 2: ")


@pytest.mark.parametrize(
    ("recipe", "ending"),
    [
        ("{componentz: {}, guards: 3}", " (and 2 more)"),
        ("{on_invalid: 3, components: {a: {score: b}}}", "or 'default'"),
    ],
)
def test_the_message_of_a_file_is_its_first_fault_and_how_many_follow(recipe: str, ending: str) -> None:
    with pytest.raises(InvalidRecipe) as refused:
        load_book(f"rewards: {{r: {recipe}}}")
    assert refused.value.message.endswith(ending), refused.value.message
