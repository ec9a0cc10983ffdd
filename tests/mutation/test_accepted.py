"""The list of mutants that nobody could notice can be read, and speaks of lines that are there."""

from tests.mutation.mutants import SOURCES
from tests.mutation.run_sample import accepted_mutants


def test_every_accepted_mutant_is_of_a_line_of_the_source_and_has_a_reason() -> None:
    for (module, before, after), reason in accepted_mutants().items():
        path = SOURCES.joinpath(*module.split(".")).with_suffix(".py")
        lines = {line.strip() for line in path.read_text().splitlines()}
        assert {line.strip() for line in before.splitlines()} <= lines, (module, before)
        assert before != after
        assert reason.endswith(".")
