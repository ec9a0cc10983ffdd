"""Every kind of checkpoint becomes a model that scores as torch does, or is refused in words that help."""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from reward_models.build import check_model  # noqa: E402
from reward_models.convert import Options, Refused  # noqa: E402
from reward_models.convert.adapters import find_adapter, merge_adapter  # noqa: E402
from reward_models.convert.add import Added, add_checkpoint, choose_options, make_plan  # noqa: E402
from reward_models.convert.checkpoint import Checkpoint, fetch_checkpoint  # noqa: E402
from reward_models.convert.refusals import WINDOWED, check_checkpoint  # noqa: E402
from reward_models.repository import RepositoryError, versions  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Of torch and transformers themselves, while they export.
    pytest.mark.filterwarnings("ignore"),
]

Make = Callable[[str], Path]

KINDS: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [
    ("bert", {}, "sequence", ("reward",)),
    ("roberta", {}, "sequence", ("helpful", "honest", "harmless")),
    ("deberta", {"output": "sigmoid"}, "sequence", ("reward",)),
    ("modernbert", {}, "sequence", ("reward",)),
    ("pickled", {}, "sequence", ("reward",)),
    ("sentencepiece", {}, "sequence", ("reward",)),
    ("llama", {}, "sequence", ("reward",)),
    ("llama-unpadded", {"truncate": "right"}, "sequence", ("reward",)),
    ("qwen2", {"dimensions": ("kindness",)}, "sequence", ("kindness",)),
    ("qwen3", {"truncate": "refuse"}, "sequence", ("reward",)),
    ("mistral", {"template": "response"}, "sequence", ("reward",)),
    ("gemma", {}, "sequence", ("reward",)),
    ("gemma2", {"max_length": 90}, "sequence", ("reward",)),
    ("step-tokens", {"kind": "steps"}, "steps", ("min", "mean", "last")),
    ("step-tokens", {"kind": "tokens", "label": "LABEL_0"}, "tokens", ("min", "mean", "last")),
    ("process-reward", {}, "steps", ("min", "mean", "last")),
    ("value-head", {"dimensions": ("product",)}, "steps", ("product",)),
    ("language", {"kind": "steps", "answers": ("+", "-"), "step_mark": "</s>"}, "steps", ("min", "mean", "last")),
    ("critic", {"kind": "head", "activation": "silu"}, "head", ("reward",)),
    ("critic", {"kind": "head", "activation": "silu", "pool": "mean"}, "head", ("reward",)),
    ("gated", {}, "gated", ("reward",)),
    ("qrm", {}, "gated", ("reward",)),
    ("urm", {}, "gated", ("reward",)),
    ("beaver", {}, "head", ("reward",)),
    ("starling", {"kind": "head"}, "head", ("reward",)),
    ("siglip", {}, "siglip", ("match",)),
    ("siglip-first", {}, "siglip", ("match",)),
    ("blip", {}, "blip", ("match",)),
    ("nsfw", {}, "image", ("normal", "nsfw")),
    ("pictures", {}, "image", ("safe", "unsafe", "drawn__not_taken")),
    ("clip", {}, "clip", ("match",)),
    ("clip", {"kind": "pickscore"}, "pickscore", ("match",)),
    ("clip", {"kind": "hps"}, "hps", ("match",)),
    ("aesthetic", {"kind": "aesthetic", "head": "head.pth"}, "aesthetic", ("aesthetic",)),
    ("aesthetic-siglip", {"kind": "aesthetic", "head": "head.pth"}, "aesthetic", ("aesthetic",)),
]


def convert(source: Path, repository: Path, name: str = "model", dry_run: bool = False, **options: Any) -> Added:
    if "head" in options:
        options["head"] = source / options["head"]
    return add_checkpoint(str(source), name, repository, Options(**options), dry_run=dry_run, say=lambda line: None)


@pytest.mark.parametrize(("made", "options", "kind", "dimensions"), KINDS)
def test_the_exported_score_is_that_of_torch(
    made: str, options: dict[str, Any], kind: str, dimensions: tuple[str, ...], checkpoint: Make, repository: Path
) -> None:
    added = convert(checkpoint(made), repository, **options)
    assert (added.version, added.kind, added.dimensions) == (1, kind, dimensions)
    assert added.measured.to_torch < 1e-4
    assert added.measured.between_batches < 1e-5
    assert added.measured.spread > 100 * added.measured.to_torch
    assert check_model("model", repository) == []


def test_a_half_precision_model_says_how_far_it_is(checkpoint: Make, repository: Path) -> None:
    added = convert(checkpoint("qwen2"), repository, dtype="float16")
    assert 1e-6 < added.measured.to_torch < 2e-2
    card = yaml.safe_load((repository / "model" / "card.yaml").read_text())
    assert card["conversion"]["dtype"] == "float16"


def test_a_second_checkpoint_of_a_name_is_its_next_version(checkpoint: Make, repository: Path) -> None:
    assert convert(checkpoint("bert"), repository).version == 1
    assert convert(checkpoint("deberta"), repository).version == 2
    assert [version.number for version in versions.list_versions(repository, "model")] == [1, 2]


def test_a_checkpoint_with_other_dimensions_takes_another_name(checkpoint: Make, repository: Path) -> None:
    convert(checkpoint("bert"), repository)
    with pytest.raises(RepositoryError, match="dimensions are helpful, honest, harmless; version 1 has reward"):
        convert(checkpoint("roberta"), repository)


def test_a_dry_run_leaves_nothing(checkpoint: Make, repository: Path) -> None:
    assert convert(checkpoint("bert"), repository, dry_run=True).version == 0
    assert list(repository.iterdir()) == []


def reference_scores(source: Path, **options: Any) -> list[list[float]]:
    """What torch says of the rows of the check, by the plan of a conversion; nothing is exported."""
    opened = fetch_checkpoint(str(source))
    plan = make_plan(opened, choose_options(opened, Options(**options)))
    return [scores for row in plan.rows if (scores := plan.reference(row)) is not None]


class TestReadingOfNumbers:
    """How a head's numbers become scores, by the checkpoint's configuration."""

    @pytest.fixture
    def changed(self, checkpoint: Make, tmp_path: Path) -> Callable[..., Path]:
        def make(name: str, **said: Any) -> Path:
            folder = tmp_path / f"changed-{len(list(tmp_path.iterdir()))}"
            shutil.copytree(checkpoint(name), folder)
            config = json.loads((folder / "config.json").read_text()) | said
            (folder / "config.json").write_text(json.dumps(config))
            return folder

        return make

    def test_beaver_normalises_as_it_says(self, changed: Callable[..., Path]) -> None:
        plain, normalised = (np.array(reference_scores(changed("beaver", do_normalize=on))) for on in (False, True))
        np.testing.assert_allclose(normalised, (plain - 0.7) / 2, atol=1e-6)

    def test_a_cost_is_only_scaled(self, changed: Callable[..., Path]) -> None:
        cost, plain = (np.array(reference_scores(changed("beaver", score_type=said))) for said in ("cost", "critic"))
        np.testing.assert_allclose(cost, plain / 2, atol=1e-6)

    def test_openrlhf_normalises_when_asked_to(self, changed: Callable[..., Path]) -> None:
        source = changed("critic", mean=3.0, std=0.5)
        plain, normalised = (
            np.array(reference_scores(source, kind="head", activation="relu", normalize=on)) for on in (False, True)
        )
        np.testing.assert_allclose(normalised, (plain - 3) / 0.5, atol=1e-5)

    @pytest.mark.parametrize(
        ("problem_type", "total"), [("single_label_classification", 1.0), ("multi_label_classification", None)]
    )
    def test_the_kind_of_problem_says_what_labels_mean(
        self, problem_type: str, total: float | None, changed: Callable[..., Path]
    ) -> None:
        scores = np.array(reference_scores(changed("roberta", problem_type=problem_type)))
        assert ((scores > 0) & (scores < 1)).all()
        if total is not None:
            np.testing.assert_allclose(scores.sum(1), total, atol=1e-6)
        else:
            logits = np.array(reference_scores(changed("roberta")))
            np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-6)

    def test_a_text_side_is_said_in_the_card(self, checkpoint: Make) -> None:
        opened = fetch_checkpoint(str(checkpoint("bert")))
        plan = make_plan(opened, Options(kind="sequence", text_only=True))
        assert any("--text-only" in limit for limit in plan.limits)


class TestAdapters:
    def test_a_merged_adapter_scores_as_the_sum_of_its_weights(
        self, checkpoint: Make, repository: Path, tmp_path: Path
    ) -> None:
        """W + alpha/r · B·A, and the head that was trained beside it; the base is a language model."""
        base, adapter, summed = checkpoint("language"), tmp_path / "adapter", tmp_path / "summed"
        adapter.mkdir()
        generator = torch.Generator().manual_seed(0)
        down, up, head = (torch.randn(shape, generator=generator) for shape in ((2, 16), (16, 2), (1, 16)))
        name = "model.layers.1.self_attn.q_proj"
        held = {f"base_model.model.{name}.lora_A.weight": down, f"base_model.model.{name}.lora_B.weight": up}
        save_file(held | {"base_model.model.score.weight": head}, adapter / "adapter_model.safetensors")
        said = {"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 2, "lora_alpha": 6}
        (adapter / "adapter_config.json").write_text(json.dumps(said))

        shutil.copytree(base, summed)
        tensors = load_file(base / "model.safetensors")
        tensors |= {f"{name}.weight": tensors[f"{name}.weight"] + 3 * up @ down, "score.weight": head}
        save_file(tensors, summed / "model.safetensors", {"format": "pt"})
        config = json.loads((base / "config.json").read_text()) | {
            "architectures": ["MistralForSequenceClassification"]
        }
        (summed / "config.json").write_text(json.dumps(config | {"id2label": {"0": "LABEL_0"}}))
        wanted = reference_scores(summed)

        merged = tmp_path / "merged"
        merged.mkdir()
        opened, trained_on = fetch_checkpoint(str(adapter)), fetch_checkpoint(str(base))
        found = find_adapter(opened, str(base))
        assert found is not None
        merge_adapter(found, trained_on, opened, merged)
        np.testing.assert_allclose(reference_scores(merged), wanted, atol=1e-5)

    def test_an_adapter_of_another_base(self, checkpoint: Make, repository: Path, tmp_path: Path) -> None:
        save_file({"base_model.model.h.0.lora_A.weight": torch.ones(1, 2)}, tmp_path / "adapter_model.safetensors")
        (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 1}))
        with pytest.raises(
            Refused, match=r"holds base_model.model.h.0.lora_A.weight, which has no place in tiny-llama"
        ):
            convert(tmp_path, repository, base=str(checkpoint("llama")))


class TestRefusals:
    """Each leaves the repository as it was."""

    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, repository: Path) -> Any:
        yield
        assert list(repository.iterdir()) == []

    @pytest.fixture
    def broken(self, checkpoint: Make, tmp_path: Path) -> Callable[..., Path]:
        """A copy of a tiny checkpoint whose ``config.json`` says something else."""

        def make(name: str, **said: Any) -> Path:
            folder = tmp_path / "broken"
            shutil.copytree(checkpoint(name), folder)
            config = json.loads((folder / "config.json").read_text()) | said
            (folder / "config.json").write_text(json.dumps(config))
            return folder

        return make

    def test_a_language_model_without_a_head(self, broken: Callable[..., Path], repository: Path) -> None:
        source = broken("critic", architectures=["Qwen2ForSequenceClassification"])
        with pytest.raises(Refused, match=r"lacks score.weight: its scores would come from random weights"):
            convert(source, repository)

    def test_a_language_model_is_no_reward_model(self, broken: Callable[..., Path], repository: Path) -> None:
        with pytest.raises(Refused, match="is no reward model by its configuration"):
            convert(broken("llama", architectures=["LlamaForCausalLM"]), repository)

    def test_code_of_a_checkpoint_is_never_run(self, broken: Callable[..., Path], repository: Path) -> None:
        said = {"model_type": "unheard-of", "architectures": ["UnheardOfForSequenceClassification"]}
        source = broken("bert", **said, auto_map={"AutoConfig": "evil.C", "AutoModel": "evil.M"})
        (source / "evil.py").write_text("raise SystemExit('code was run')\n")
        with pytest.raises(Refused, match="transformers cannot load"):
            convert(source, repository)

    @pytest.mark.parametrize("task", ["SEQUENCE", "TOKEN"])
    def test_every_plain_class_of_transformers_passes_for_its_type(self, task: str, tmp_path: Path) -> None:
        auto = importlib.import_module("transformers.models.auto.modeling_auto")
        plain = getattr(auto, f"MODEL_FOR_{task}_CLASSIFICATION_MAPPING_NAMES")
        assert len(plain) > 50
        for model_type, architecture in plain.items():
            said = {"architectures": [architecture], "model_type": model_type}
            opened = Checkpoint(tmp_path, "source", "", said)
            kind = "sequence" if task == "SEQUENCE" else "steps"
            if model_type not in WINDOWED:
                check_checkpoint(opened, {}, Options(kind=kind))

    def test_tensors_that_the_class_does_not_take(self, broken: Callable[..., Path], repository: Path) -> None:
        source = broken("llama")
        tensors = load_file(source / "model.safetensors")
        save_file(tensors | {"model.layers.0.gate.weight": torch.ones(1, 16)}, source / "model.safetensors")
        with pytest.raises(
            Refused, match=r"has model.layers.0.gate.weight, which LlamaForSequenceClassification does not"
        ):
            convert(source, repository)

    def test_a_network_that_torch_cannot_export(
        self, checkpoint: Make, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def export(*_: Any) -> None:
            raise NotImplementedError("aten::something\nand its traceback")

        monkeypatch.setattr("reward_models.convert.graph.export_graph", export)
        with pytest.raises(
            Refused, match=r"NotImplementedError: aten::something\): run it by torch \(--engine torch\)"
        ):
            convert(checkpoint("bert"), repository, engine="onnx")

    def test_gates_are_not_read_from_a_text_that_was_cut(self, checkpoint: Make, repository: Path) -> None:
        with pytest.raises(Refused, match="use --truncate refuse"):
            convert(checkpoint("gated"), repository, truncate="left")

    def test_a_pickle_that_holds_more_than_tensors(self, checkpoint: Make, repository: Path, tmp_path: Path) -> None:
        torch.save({"layers.0.weight": Path("x")}, tmp_path / "head.pth")
        with pytest.raises(Refused, match=r"head.pth holds more than tensors"):
            convert(checkpoint("clip"), repository, kind="aesthetic", head=tmp_path / "head.pth")

    def test_a_decoder_without_a_template(self, broken: Callable[..., Path], repository: Path) -> None:
        source = broken("llama")
        (source / "chat_template.jinja").unlink()
        with pytest.raises(Refused, match="has no chat template"):
            convert(source, repository)

    def test_a_token_classifier_of_an_unsaid_kind(self, checkpoint: Make, repository: Path) -> None:
        with pytest.raises(Refused, match="say --kind steps or --kind tokens"):
            convert(checkpoint("step-tokens"), repository)

    def test_a_summary_that_there_is_not(self, checkpoint: Make, repository: Path) -> None:
        with pytest.raises(Refused, match="There is no summary best: use min, mean, last"):
            convert(checkpoint("step-tokens"), repository, kind="steps", dimensions=("best",))

    def test_dimensions_that_are_too_few(self, checkpoint: Make, repository: Path) -> None:
        with pytest.raises(Refused, match="gives 3 numbers; 2 dimensions were named"):
            convert(checkpoint("roberta"), repository, dimensions=("a", "b"))

    def test_a_graph_that_differs_from_torch(
        self, checkpoint: Make, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reward_models.convert.networks.OUTPUTS", {"logits": lambda x: x * 1.01})
        with pytest.raises(Refused, match=r"differs from torch by \d\.\de-\d\d \(1e-04 is allowed\)"):
            convert(checkpoint("llama"), repository)

    @pytest.mark.parametrize("source", ["nowhere", "/nowhere/at/all", "a b/c"])
    def test_a_source_that_is_neither_folder_nor_hub_id(self, source: str, repository: Path) -> None:
        with pytest.raises(Refused, match="is neither a folder nor a hub id"):
            add_checkpoint(source, "model", repository, Options(), say=lambda line: None)
