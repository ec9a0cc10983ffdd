"""What a model keeps between calls: recent inputs, or nothing where callers must not notice each other's."""

from collections.abc import Callable

import pytest
from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.instance import Instance
from reward_models.runtime.remembered import VARIABLE, limit_remembered

LIMIT = Limit(tokens=16, keep="start")


@pytest.fixture
def count_runs(start: Callable[[str], Instance], monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many texts an encoder computes, of two equal ones in each of two calls."""

    def count() -> int:
        instance = start("text_preference")
        encoder, computed = TextEncoder(instance.folder, instance.device), 0
        run = encoder._run_graph

        def counted(rows: list[tuple[int, ...]]) -> object:
            nonlocal computed
            computed += len(rows)
            return run(rows)

        monkeypatch.setattr(encoder, "_run_graph", counted)
        for _ in range(2):
            encoder.encode_texts(["water is wet", "water is wet"], LIMIT)
        return computed

    return count


@pytest.mark.parametrize(("value", "computed"), [("", 1), ("1", 1), ("0", 2)])
def test_equal_texts_of_two_calls_are_computed_once_unless_nothing_is_kept(
    count_runs: Callable[[], int], monkeypatch: pytest.MonkeyPatch, value: str, computed: int
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert count_runs() == computed


def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    with pytest.raises(ValueError, match="REWARD_MODELS_REMEMBER is 'off'"):
        limit_remembered(4096)
