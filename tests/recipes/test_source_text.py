"""Recipes are cut out of a file and put into it by lines: nothing else of the file changes."""

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.source_text import find_blocks, put_block, read_one, rename_block
from reward_gateway.settings import Settings

FILE = """\
# The recipes of a team.
default: short

rewards:
  # Short answers.
  short:
    description: >-
      Short # is no comment here

      answers.
    components:
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    # a comment of its own

  # What follows reads the reference.

  exact:
    components:
      match: {score: exact_match}

# Names of others.
model_aliases: {gpt: short}
"""


def test_a_block_has_the_comment_above_it_and_those_inside() -> None:
    blocks = find_blocks(FILE)
    assert list(blocks) == ["short", "exact"]
    assert blocks["short"].lines[0] == "  # Short answers."
    assert blocks["short"].lines[-1] == "    # a comment of its own"
    assert blocks["exact"].lines == ("  exact:", "    components:", "      match: {score: exact_match}")


@pytest.mark.parametrize("name", ["short", "exact"])
def test_a_block_is_a_recipe_file_and_putting_it_back_changes_nothing(name: str) -> None:
    block = find_blocks(FILE)[name]
    assert list(load_book(block.text).plans) == [name]
    assert read_one(block.text).lines == block.lines
    assert put_block(FILE, read_one(block.text)) == FILE


def test_every_shipped_recipe_is_the_same_alone() -> None:
    text = Settings().rewards_file.read_text()
    versions = {plan.name: plan.version for plan in load_book(text)}
    blocks = find_blocks(text)
    assert list(blocks) == list(versions)
    for name, block in blocks.items():
        assert load_book(block.text).plans[name].version == versions[name]
    for block in list(blocks.values())[::20]:
        assert put_block(text, read_one(block.text)) == text


def test_a_changed_recipe_takes_the_place_of_the_old_one() -> None:
    comment = "    # a comment of its own"
    block = read_one(find_blocks(FILE)["short"].text.replace(comment, f"{comment}\n    range: [-9, 0]  # another"))
    assert put_block(FILE, block) == FILE.replace(comment, f"{comment}\n    range: [-9, 0]  # another")


def test_a_new_recipe_stands_behind_the_last_one_in_the_files_indentation() -> None:
    new = read_one("rewards:\n    # mine\n    mine:\n      components:\n        m: {score: exact_match}\n")
    changed = put_block(FILE, new)
    assert changed == FILE.replace(
        "      match: {score: exact_match}\n",
        "      match: {score: exact_match}\n\n  # mine\n  mine:\n    components:\n      m: {score: exact_match}\n",
    )
    assert list(load_book(changed).plans) == ["short", "exact", "mine"]


def test_a_file_without_a_newline_at_its_end() -> None:
    text = FILE[: FILE.index("\n# Names of others")].rstrip("\n")
    changed = put_block(text, read_one("rewards:\n mine:\n  components: {m: {score: exact_match}}"))
    assert list(load_book(changed).plans) == ["short", "exact", "mine"]
    assert changed.startswith(text)


@pytest.mark.parametrize("key", ["short", "'short'", '"short"'])
def test_a_renamed_recipe_leaves_its_old_comment(key: str) -> None:
    block = rename_block(find_blocks(FILE.replace("  short:", f"  {key}:"))["short"], "brief")
    assert block.lines[0] == "  brief:"
    assert list(load_book(block.text).plans) == ["brief"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1"),
        ("", "no recipes"),
        ("rewards: {}", "no recipes"),
        ("rewards: [a]", "no recipes"),
        ('{"rewards": {"a": {"components": {}}}}', "lines of their own"),
        ("rewards: {a: {}}", "lines of their own"),
        ("default: a\nrewards:\n  a: {}\n", "write default in the file itself"),
        ("rewards:\n  a: {}\n  b: {}\n", "keep one recipe here"),
    ],
)
def test_what_is_no_single_recipe_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidRecipe, match=reason):
        read_one(text)
