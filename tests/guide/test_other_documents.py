"""Commands of documents beside the guide: of contributing, benchmarks, models and the chart."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.documents import read_blocks

from .snippets import find_faults

DOCUMENTS = (
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deploy/helm/reward-gateway/README.md",
    "loadtests/README.md",
    "loadtests/faults.md",
    "models/README.md",
    "models/templates/README.md",
    "tests/authors/README.md",
)
_INLINE = re.compile(r"`((?:make|reward-gateway|python loadtests/) ?[^`\n]+)`")


def read_commands(text: str) -> Iterator[str]:
    """The commands in fenced blocks and within sentences."""
    yield from (block.text for block in read_blocks(text) if block.language == "bash")
    yield from _INLINE.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_command_names_what_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not [fault for command in read_commands(text) for fault in find_faults(command)]
    assert not re.search(r"^```bash\n", text, flags=re.MULTILINE), "its mark says how a block is checked"


def test_faults_within_sentences_are_found() -> None:
    (command,) = read_commands("Run `make severs` and see `the log`.")
    assert list(find_faults(command)) == ["no target 'severs' in the Makefile"]
