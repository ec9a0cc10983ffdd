"""Which engine runs a checkpoint, what is told to it, and which files it is given; without torch."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_models.convert import Options, Refused
from reward_models.convert.checkpoint import Checkpoint, fetch_checkpoint
from reward_models.convert.engines import plans
from reward_models.convert.engines.task import Task
from reward_models.convert.plan import Plan
from reward_models.repository.placement import Placement
from safetensors.numpy import save_file

OF_CARD = {"read": "chat", "tokens": 64, "cut": "left", "pad": 0, "types": False}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForSequenceClassification"]}))
    for name in ("tokenizer.json", "trainer_state.json", "README.md", "modeling_own.py", "optimizer.pt"):
        (folder / name).write_text("{}")
    save_file({"score.weight": np.zeros((3, 5), np.float32)}, folder / "model.safetensors")
    return fetch_checkpoint(str(folder))


def plan(**changes: Any) -> Plan:
    return Plan(
        kind="sequence classification",
        summary="",
        scorer=("classifier", "SequenceScorer"),
        inputs={},
        dimensions={"reward": ""},
        flags={},
        limits=[],
        method="",
        write=lambda folder: None,
        rows=[],
        reference=lambda row: None,
        **{"network": "a network", "settings": dict(OF_CARD), **changes},
    )


class TestChoice:
    def test_auto_takes_a_graph_up_to_a_billion_parameters(
        self, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert plans.count_parameters(checkpoint.folder) == 15
        assert plans.choose_engine(checkpoint, Options()) == ("onnx", "")
        monkeypatch.setattr(plans, "count_parameters", lambda folder: 8_030_000_000)
        engine, why = plans.choose_engine(checkpoint, Options())
        assert (engine, why) == ("torch", "8.0 billion parameters are too many for a graph")

    def test_what_the_user_names_is_taken(self, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "count_parameters", lambda folder: 8_030_000_000)
        assert plans.choose_engine(checkpoint, Options(engine="onnx")) == ("onnx", "")

    def test_own_code_is_run_by_torch(self, checkpoint: Checkpoint) -> None:
        assert plans.choose_engine(checkpoint, Options(trust_remote_code=True))[0] == "torch"

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (Options(engine="onnx", dtype="bfloat16"), "for the engine onnx, give one of float32, float16"),
            (Options(engine="torch", dtype="int8"), "give one of float32, float16, bfloat16"),
            (Options(engine="onnx", trust_remote_code=True), "--trust-remote-code needs --engine torch"),
        ],
    )
    def test_what_an_engine_cannot_do_is_refused(self, options: Options, words: str) -> None:
        with pytest.raises(Refused, match=words):
            plans.check_options(options)


class TestPlan:
    def test_the_card_says_what_scores_depend_on(self, checkpoint: Checkpoint) -> None:
        options = Options(
            kind="head", engine="torch", dtype="bfloat16", activation="silu", head=Path("some/linear.pth")
        )
        made = plans.plan_engine(plan(), checkpoint, options)
        assert made.settings["network"] == {
            "engine": "torch",
            "dtype": "bfloat16",
            "trust_remote_code": False,
            "options": {"kind": "head", "activation": "silu", "template": "chat", "head": "head.pth"},
        }
        assert made.kind.endswith(", by torch")
        assert any("bfloat16" in limit for limit in made.limits)

    def test_every_option_comes_back_as_it_was(self, tmp_path: Path) -> None:
        others = {str: "said", bool: True, int: 7, tuple: ("a", "b"), type(None): Path("x.pth")}
        changed: dict[str, Any] = {f.name: others[type(f.default)] for f in dataclasses.fields(Options)}
        said = Options(**changed)
        sent = {"options": json.loads(json.dumps(plans.pack_options(plan(), said)))}
        elsewhere = {*plans.OF_LOADING, *plans.OF_READING}
        assert elsewhere <= set(changed)
        back = Task(tmp_path, sent, 0, False, 1, "CPU", 0, 1, 1, {}).parse_options()
        for name in set(changed) - elsewhere - {"template", "head"}:
            assert getattr(back, name) == getattr(said, name), name
        assert (back.template, back.head) == ("chat", tmp_path / "head.pth")

    @pytest.mark.parametrize(("kind", "types"), [("steps", False), ("sequence", True)])
    def test_vllm_is_for_sequence_classifiers_without_token_types(
        self, checkpoint: Checkpoint, kind: str, types: bool
    ) -> None:
        made = plan(settings=OF_CARD | {"types": types})
        with pytest.raises(Refused, match="The engine vllm runs sequence classifiers"):
            plans.plan_engine(made, checkpoint, Options(kind=kind, engine="vllm"))

    def test_images_are_for_graphs(self, checkpoint: Checkpoint) -> None:
        with pytest.raises(Refused, match="runs networks over texts"):
            plans.plan_engine(plan(network=None), checkpoint, Options(kind="clip", engine="torch"))


class TestFiles:
    def test_they_are_those_on_which_scores_depend(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        names = {path.name for path in plans.list_files(checkpoint, code=False)}
        assert names == {"config.json", "tokenizer.json", "model.safetensors"}
        assert {path.name for path in plans.list_files(checkpoint, code=True)} == {*names, "modeling_own.py"}

    def test_what_the_plan_wrote_stays(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        target = tmp_path / "1"
        target.mkdir()
        (target / "tokenizer.json").write_text("written")
        plans.place_files(checkpoint, Options(), target)
        assert (target / "tokenizer.json").read_text() == "written"
        assert (checkpoint.folder / "tokenizer.json").read_text() == "{}"

    @pytest.mark.parametrize("link", [True, False])
    def test_they_are_linked_if_the_user_says_so(self, checkpoint: Checkpoint, tmp_path: Path, link: bool) -> None:
        plans.place_files(checkpoint, Options(link=link), tmp_path)
        weights = "model.safetensors"
        assert (tmp_path / weights).samefile(checkpoint.folder / weights) is link

    def test_code_that_would_take_the_place_of_triton_s_is_refused(self, checkpoint: Checkpoint) -> None:
        (checkpoint.folder / "model.py").write_text("")
        with pytest.raises(Refused, match=r"model\.py"):
            list(plans.list_files(checkpoint, code=True))


def test_a_model_that_takes_gpus_by_itself_is_left_alone_by_a_placement() -> None:
    config = 'name: "m"\ninstance_group [ { count: 1 kind: KIND_MODEL } ]\n'
    assert Placement(gpus=(0,)).apply_to(config) == config
    assert "KIND_GPU" in Placement().apply_to(config.replace("MODEL", "CPU"))
