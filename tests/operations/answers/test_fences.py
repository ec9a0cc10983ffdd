"""operations/answers/fences.py: blocks of code as models write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.answers.fences import Fence, find_fences, last_program


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```python\nx = 1\n```", [Fence("python", "x = 1")]),
        ("```Py title=a.py\nx\n```", [Fence("python", "x")]),
        ("``` {.python3 .numberLines}\nx\n```", [Fence("python", "x")]),
        ("~~~c++\nx\n~~~", [Fence("cpp", "x")]),
        ("````\n```\nx\n```\n````", [Fence("", "```\nx\n```")]),
        ('```python\nprint("```")\n```', [Fence("python", 'print("```")')]),
        ("1. Do:\n   ```python\n   def f():\n       return 1\n   ```", [Fence("python", "def f():\n    return 1")]),
        ("```python\r\nif x:\r\n    y = 1\r\n```", [Fence("python", "if x:\n    y = 1")]),
        ("```python\n\ufeffx\n```", [Fence("python", "x")]),
        ('```python\nx = "\u2028\x0c"\n```', [Fence("python", 'x = "\u2028\x0c"')]),  # lines end at line feeds alone
        ("```python\nx", [Fence("python", "x", closed=False)]),
        ("```a\nx\n```\ntext\n```b\ny\n```", [Fence("a", "x"), Fence("b", "y")]),
        ("text ```python x``` text", []),
        ("```python x``` text", []),
        ("", []),
    ],
)
def test_fenced_blocks_are_found(text: str, blocks: list[Fence]) -> None:
    assert find_fences(text) == blocks


def test_a_program_is_the_last_block_of_its_language() -> None:
    assert last_program("```py\nx\n```\n```bash\nls\n```", "python") == "x"
    assert last_program("```\nx\n```\n```bash\nls\n```", "python") == "x"
    assert last_program("x = 1", "python") == "x = 1"
    assert last_program("```python\nx = 1", "python") == "x = 1"


@pytest.mark.parametrize(
    "text",
    [
        "<answer>```python\nx\n```</answer>",
        "<answer>\n```python\nx\n```\n</answer> Done.",
        "<answer>x</answer>",
        "```python\ny\n```\n<ANSWER>```\nx\n```",
        "<answer>y</answer>\n<answer>x</answer>",
        "```python\nx\n```\nI answer by `<answer>`.",
    ],
)
def test_a_program_may_stand_in_an_answer(text: str) -> None:
    assert last_program(text, "python").strip() == "x"


def test_tags_within_a_program_are_part_of_it() -> None:
    program = 'print("""\n<answer>5</answer>""")'
    assert last_program(f"```python\n{program}\n```", "python") == program
    assert last_program('print("<answer>5</answer>")', "python") == 'print("<answer>5</answer>")'


@given(st.text(alphabet="`~ a\n{}.python"))
def test_any_text_has_blocks_or_none(text: str) -> None:
    assert all(block.closed for block in find_fences(text)[:-1])
