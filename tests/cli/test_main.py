"""The other commands: models, rewards, catalog; help and exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_help_names_every_command_and_is_quick_to_import() -> None:
    code = (
        "import sys; from reward_gateway.cli.main import app; "
        "heavy = ('grpc', 'pyarrow', 'tritonclient', 'fastapi', 'scipy', 'httpx'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "reward_gateway.cli.main", "--help"], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"
    for command in ("serve", "score", "models", "rewards", "catalog"):
        assert f"  {command}" in shown.stdout


def test_the_version_is_printed(run: Run) -> None:
    from reward_gateway import __version__

    assert run("--version").out.strip() == __version__


def test_rewards_are_listed_from_the_service(run: Run, service: Any) -> None:
    plain = run("rewards", "list", "--url", service.url)
    as_json = run("rewards", "list", "--url", service.url, "--json")

    assert [line.split("\t")[0] for line in plain.out.splitlines()] == ["brief", "shaped"]
    assert [row["name"] for row in json.loads(as_json.out)] == ["brief", "shaped"]


def test_a_recipe_is_shown_of_a_file_as_of_a_service(run: Run, service: Any) -> None:
    of_service = run("rewards", "show", "shaped", "--url", service.url)
    body = run("rewards", "show", "shaped", "--url", service.url, "--json").out
    Path("same.yaml").write_text(json.dumps({"rewards": {"shaped": json.loads(body)["recipe"]}}))
    of_file = run("rewards", "show", "shaped", "--recipes", "same.yaml")
    default = run("rewards", "show", "--recipes", "same.yaml", "--json")

    assert of_service.out.startswith("shaped  b3:")
    assert "\nreward\n" in of_service.out
    assert of_file.out == of_service.out
    assert json.loads(default.out) == json.loads(body)


def test_a_recipe_that_is_not_there_is_not_shown(run: Run, service: Any) -> None:
    Path("good.yaml").write_text("rewards:\n  right: {components: {a: {score: length_penalty}}}\n")
    Path("bad.yaml").write_text("rewards:\n  r: {components: {a: {score: length_penalty, params: {per_word: many}}}}\n")
    other, faulty = (
        run("rewards", "show", "rihgt", "--recipes", "good.yaml"),
        run("rewards", "show", "--recipes", "bad.yaml"),
    )
    unknown, unnamed = (
        run("rewards", "show", "none", "--url", service.url),
        run("rewards", "show", "--url", service.url),
    )

    assert (other.code, faulty.code, unknown.code, unnamed.code) == (2, 1, 3, 2)
    assert "did you mean 'right'?" in other.err
    assert faulty.out.startswith("bad.yaml:2:")
    assert "name a recipe" in unnamed.err


def test_a_recipe_is_shown_whose_model_is_served_elsewhere(run: Run) -> None:
    Path("new.yaml").write_text("rewards:\n  r: {components: {a: {score: far_away}}}\n")
    assert "a  model far_away" in run("rewards", "show", "--recipes", "new.yaml").out


def test_a_recipe_file_is_checked_and_every_fault_has_its_place(run: Run) -> None:
    Path("good.yaml").write_text("rewards:\n  r:\n    components:\n      a: {score: length_penalty}\n")
    Path("bad.yaml").write_text(
        "rewards:\n"
        "  r:\n"
        "    components:\n"
        "      a: {score: length_penalty, params: {per_word: many}}\n"
        "      b: {score: length_penalty, transforms: [no_such_transform]}\n"
        "    combine: weighted_sum\n"
    )
    good, bad = run("rewards", "check", "good.yaml"), run("rewards", "check", "bad.yaml")
    none = run("rewards", "check", "none.yaml")

    assert (good.code, good.out) == (0, "")
    assert bad.code == 1
    lines = bad.out.splitlines()
    assert len(lines) >= 2
    assert any("per_word" in line for line in lines)
    assert any("no_such_transform" in line for line in lines)
    assert all(line.startswith("bad.yaml:") for line in lines)
    assert none.code == 2


NEW_MODEL = "rewards:\n  r:\n    components:\n      a: {score: text_preferense}\n"


def test_a_model_that_the_repository_lacks_is_a_fault_with_its_line(run: Run) -> None:
    Path("new.yaml").write_text(NEW_MODEL)
    checked, allowed = run("rewards", "check", "new.yaml"), run("rewards", "check", "new.yaml", "--any-model")

    assert checked.code == 1
    assert checked.out.startswith("new.yaml:4:11: rewards.r.components.a.score: 'text_preferense' is no scoring")
    assert "did you mean 'text_preference'?" in checked.out
    assert allowed.code == 0


def test_without_a_repository_the_check_says_what_to_name(run: Run) -> None:
    Path("new.yaml").write_text(NEW_MODEL)
    checked = run("rewards", "check", "new.yaml", "--repository", "none")
    assert checked.code == 2
    assert all(words in checked.err for words in ("--repository", "--url", "--any-model"))


def test_the_command_the_service_and_a_starting_gateway_find_the_same_faults(run: Run, service: Any) -> None:
    from reward_gateway.cli.reloading import read_book
    from reward_gateway.cli.rewards import fault_lines
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.settings import Settings

    file = Path("bad.yaml")
    file.write_text(
        "default: nothing\n"
        "rewards:\n"
        "  r:\n"
        "    components:\n"
        "      a: {score: lenght_penalty}\n"
        "      b: {score: length_penalty}\n"
        "      c: {score: length_penalty}\n"
        "    combine: {weighted_sum: {weights: {b: 1, d: 1}}}\n"
    )
    own, asked = run("rewards", "check", file), run("rewards", "check", file, "--url", service.url)
    runtime: Any = type("NoModels", (), {"known_models": lambda self: {}, "judge_fallbacks": {}})()
    with pytest.raises(InvalidRecipe) as refused:
        read_book(Settings(rewards_file=file), runtime)

    assert own.code == asked.code == 1
    started = fault_lines(file, refused.value.faults)
    assert own.out.splitlines() == asked.out.splitlines() == started
    places = [line.partition(": ")[0] for line in started]
    assert places == ["bad.yaml:5:11", "bad.yaml:8:46", "bad.yaml:7:7", "bad.yaml:1:1"]


def test_a_running_service_checks_against_what_it_knows(run: Run, service: Any) -> None:
    Path("new.yaml").write_text(NEW_MODEL)
    Path("good.yaml").write_text("rewards: {r: {components: {a: {score: length_penalty}}}}")
    assert run("rewards", "check", "good.yaml", "--url", service.url).code == 0
    faulty = run("rewards", "check", "good.yaml", "--url", service.url.replace("http://", "grpc://"))
    assert faulty.code == 2
    assert "http://" in faulty.err


def test_the_recipes_that_ship_have_no_faults_and_name_the_models_that_they_await(run: Run) -> None:
    checked = run("rewards", "check")
    assert (checked.code, checked.out) == (0, "")
    for model in ("skywork_v2", "prm", "cross_encoder", "safety_guard", "pickscore"):
        assert f"no model or upstream '{model}' is served yet" in checked.err


def test_a_check_knows_the_upstreams_of_the_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("new.yaml").write_text("rewards: {r: {components: {a: {score: far_away}}}}")
    assert run("rewards", "check", "new.yaml").code == 1
    Path("upstreams.yaml").write_text(
        "upstreams: {far_away: {protocol: vllm_classify, urls: ['http://127.0.0.1:9'], model: m}}"
    )
    monkeypatch.setenv("REWARD_GATEWAY_UPSTREAMS_FILE", "upstreams.yaml")
    assert run("rewards", "check", "new.yaml").code == 0
    Path("upstreams.yaml").write_text("upstreams: {far_away: {protocol: smoke}}")
    faulty = run("rewards", "check", "new.yaml")
    assert faulty.code == 2
    assert "upstreams.yaml: upstreams.far_away.protocol" in faulty.err


def test_the_catalogue_is_the_installations_or_the_services(run: Run, service: Any) -> None:
    here = run("catalog", "--kind", "score")
    there = json.loads(run("catalog", "--url", service.url, "--json").out)

    assert {line.split("\t")[0] for line in here.out.splitlines()} == {"score"}
    assert "length_penalty" in here.out
    assert {row["kind"] for row in there} > {"score"}


def test_a_kind_that_there_is_not_is_refused(run: Run) -> None:
    for kind, meant in (("foo", "there are: audit, combine, credit, score, transform"), ("scores", "mean 'score'?")):
        ended = run("catalog", "--kind", kind)
        assert ended.code == 2
        assert meant in ended.err


def test_an_address_without_a_scheme_is_http(run: Run, service: Any) -> None:
    without = service.url.removeprefix("http://")
    assert run("rewards", "list", "--url", without).out == run("rewards", "list", "--url", service.url).out
    assert run("models", "versions", "none", "--url", without).code == 3


def test_an_address_that_is_none_is_refused_before_it_is_called(run: Run) -> None:
    for command in (["rewards", "list"], ["models", "unload", "m"], ["catalog"]):
        ended = run(*command, "--url", "ftp://localhost:8080")
        assert ended.code == 2
        assert "write http://localhost:8080" in ended.err.replace("\n", " ")


def test_a_model_that_there_is_not_is_not_unloaded(run: Run, service: Any) -> None:
    ended = run("models", "unload", "nope", "--url", service.url)
    assert ended.code == 3
    assert "nope" in ended.err


def test_an_editor_gets_the_faults_of_a_recipe_file_as_json(run: Run, service: Any) -> None:
    Path("bad.yaml").write_text(
        "rewards:\n  r:\n    components: {a: {score: length_penalty, params: {per_word: many}}}\n"
    )
    Path("good.yaml").write_text("rewards:\n  r: {components: {a: {score: length_penalty}}}\n")
    own, asked = (
        run("rewards", "check", "bad.yaml", "--json"),
        run("rewards", "check", "bad.yaml", "--json", "--url", service.url),
    )
    good, broken = run("rewards", "check", "good.yaml", "--json"), None
    Path("broken.yaml").write_text("rewards: [")
    broken = run("rewards", "check", "broken.yaml", "--json")

    (fault,) = json.loads(own.out)["faults"]
    assert own.code == asked.code == broken.code == 1
    assert (fault["line"], fault["path"]) == (3, "rewards.r.components.a.params.per_word")
    assert isinstance(fault["column"], int)
    assert json.loads(asked.out) == json.loads(own.out)
    assert (good.code, json.loads(good.out)) == (0, {"file": "good.yaml", "faults": [], "warnings": []})
    assert json.loads(broken.out)["faults"][0]["message"]


def test_models_are_listed_from_the_repository_or_the_service(run: Run, service: Any) -> None:
    held = run("models", "list")
    served = run("models", "list", "--url", service.url, "--json")

    assert "text_preference" in held.out
    assert json.loads(served.out) == []


def test_a_repository_that_is_not_in_order_is_said_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "card.yaml").write_text("name: broken\n")
    checked = run("models", "check", "--repository", tmp_path)
    unknown = run("models", "build", "no_such_model", "--repository", tmp_path)
    absent = run("models", "check", "--repository", tmp_path / "none")

    assert checked.code == 1
    assert "broken" in checked.out
    assert unknown.code == absent.code == 2
    assert "no_such_model" in unknown.err


@pytest.mark.parametrize("command", [["rewards", "list"], ["models", "list"], ["catalog"]])
def test_a_service_that_is_not_there_is_one_sentence(
    run: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reward_gateway.cli.rewards.TIMEOUT_S", 0.2)
    monkeypatch.setattr("reward_gateway.cli.models.TIMEOUT_S", 0.2)
    monkeypatch.setattr("reward_gateway.cli.catalog.TIMEOUT_S", 0.2)
    ended = run(*command, "--url", "http://127.0.0.1:9")

    assert ended.code == 3
    assert ended.err.startswith("reward-gateway: the service cannot be reached")


def test_wrong_arguments_end_with_2(run: Run) -> None:
    assert run("score").code == 2
    assert run("no-such-command").code == 2
