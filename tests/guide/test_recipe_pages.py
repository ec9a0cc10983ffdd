"""What the pages on recipes tell to write does what they say of it."""

import subprocess
import sys

from reward_gateway.recipes.book import load_book

from tests.conftest import ROOT
from tests.documents import Block, read_blocks

PAGES = ROOT / "service/reward_gateway/guide/pages"


def read_page(name: str) -> list[Block]:
    """The blocks of a page."""
    return read_blocks((PAGES / f"{name}.md").read_text("utf-8"))


def test_the_scorer_is_a_whole_file_that_registers_an_operation() -> None:
    (scorer,) = [block for block in read_page("recipes/add-a-scorer") if block.mark == "file=calm.py"]
    program = f"""
import types
from reward_gateway.operations.apply import apply
from reward_gateway.operations.registry import catalog
module = types.ModuleType("reward_gateway.operations.score.calm")
module.__package__ = "reward_gateway.operations.score"
exec({scorer.text!r}, module.__dict__)
operation = catalog().get("score", "calm")
try:
    next(apply(operation, [{{"response": "Aa"}}, {{"response": ""}}], {{}}))
except StopIteration as stop:
    print([result["reward"] for result in stop.value])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.strip() == "[0.5, 1.0]", done.stderr


def test_the_aliases_are_read_beside_the_shipped_recipes() -> None:
    (aliases,) = (block for block in read_page("recipes/which-recipe-answers") if block.mark == "aliases")
    shipped = (ROOT / "service" / "reward_gateway" / "rewards.yaml").read_text()
    book = load_book(f"{shipped}\n{aliases.text}\n")
    assert book.resolve_alias("gpt-4o") == "helpful"
    assert book.aliases["*"] in book.plans
