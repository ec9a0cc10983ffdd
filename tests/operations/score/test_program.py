"""score/program (2312.09238)."""

from typing import Any

from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ReadSet, RunSandboxed
from reward_gateway.operations.registry import catalog

OP = "score/program"
SPARSE = "def sparse(observation, memory):\n    return -5 if observation['dead'] else 0\n"
DENSE = (
    "def dense(observation, memory):\n"
    "    gain = observation['x'] - memory.get('x', 0)\n"
    "    memory['x'] = observation['x']\n"
    "    return gain / observation.get('scale', 1)\n"
)
STEPS = [{"dead": False, "x": 2}, {"dead": False, "x": 2}, {"dead": True, "x": 5}]


def in_this_process(need: RunSandboxed) -> list[dict[str, Any]]:
    """What a sandbox would answer, for programs that are our own."""
    answers = []
    for source, value in zip(need.programs, need.inputs, strict=True):
        space: dict[str, Any] = {}
        try:
            exec(source, space)
            answers.append({"ok": True, "value": space["main"](value)})
        except Exception as error:
            answers.append({"ok": False, "error": type(error).__name__})
    return answers


def run(*items: dict[str, Any], programs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    operation = catalog().get("score", "program")
    assert operation is not None
    steps = apply(operation, list(items), {})
    reply: Any = None
    while True:
        try:
            need = steps.send(reply)
        except StopIteration as stop:
            results: list[dict[str, Any]] = stop.value
            return results
        reply = (programs or {}).get(need.name) if isinstance(need, ReadSet) else in_this_process(need)  # type: ignore[arg-type]


OWN = {"sparse_src": SPARSE, "dense_src": DENSE}


def test_only_signs_count_and_memory_lives_as_long_as_the_episode() -> None:
    (result,) = run({"observations": STEPS, **OWN})
    assert result["rewards"] == [0.1, 0, -0.9]
    assert result["details"]["errors"] == []


def test_a_registered_program_is_named_and_an_unknown_one_is_an_error() -> None:
    good, unknown, none = run(
        {"observations": STEPS, "program": "diamond@3"},
        {"observations": STEPS, "program": "other"},
        {"observations": STEPS},
        programs={"diamond@3": OWN},
    )
    assert good["rewards"] == [0.1, 0, -0.9]
    assert unknown["error"]["param"] == none["error"]["param"] == "program"


def test_a_failing_step_is_zero_flagged_and_listed_and_the_others_stand() -> None:
    steps = [{"dead": False, "x": 1, "scale": 0}, {"dead": False, "x": 2}, {"x": 3}]
    (result,) = run({"observations": steps, **OWN})
    assert result["rewards"] == [0, 0.1, 0]
    assert result["details"]["errors"] == [
        {"step": 0, "error": "ZeroDivisionError"},
        {"step": 2, "error": "KeyError"},
    ]
    assert result["details"]["flags"] == ["program_error"]


def test_a_result_that_is_no_finite_number_is_an_error_of_its_step() -> None:
    bad = {"sparse_src": "def sparse(o, m):\n    return float('nan')\n", "dense_src": DENSE}
    (result,) = run({"observations": STEPS[:1], **bad})
    assert result["rewards"] == [0]
    assert result["details"]["errors"][0]["step"] == 0


def test_a_program_that_does_not_even_start_fails_every_step() -> None:
    (result,) = run({"observations": STEPS, "sparse_src": "def sparse(", "dense_src": DENSE})
    assert result["rewards"] == [0, 0, 0]
    assert len(result["details"]["errors"]) == 3


def test_items_of_one_episode_continue_it() -> None:
    first, second, other = run(
        {"observations": [{"dead": False, "x": 2}], "episode": "e1", **OWN},
        {"observations": [{"dead": False, "x": 1}], "episode": "e1", **OWN},
        {"observations": [{"dead": False, "x": 1}], "episode": "e2", **OWN},
    )
    assert [r["rewards"] for r in (first, second, other)] == [[0.1], [-0.1], [0.1]]
