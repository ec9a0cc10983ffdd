"""What a conversion refuses before torch is loaded, by ``config.json`` and the names of tensors, and what it advises.

Each of these was once converted as something that it is not, or ended in a traceback.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_models.convert import Options, Refused
from reward_models.convert.add import add_checkpoint, choose_options
from reward_models.convert.advice import IMAGE_WAYS
from reward_models.convert.checkpoint import fetch_checkpoint

from .checkpoints import Shapes, write_checkpoint

TWO_LAYERS: Shapes = {"score.0.weight": (2, 2), "score.0.bias": (2,), "score.2.weight": (1, 2), "score.2.bias": (1,)}
ONE_LAYER: Shapes = {"score.weight": (1, 2)}


def choose(folder: Path, **options: Any) -> Options:
    return choose_options(fetch_checkpoint(str(folder)), Options(**options))


class TestHeadsOfSeveralLayers:
    """A reference and an export that both leave out an activation agree with each other, and not with the model."""

    def test_an_unknown_class_needs_an_activation(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "SomeForReward", "qwen2", TWO_LAYERS)
        with pytest.raises(Refused, match=r"2 layers \(score.0.weight, score.2.weight\).*give --activation none, relu"):
            choose(folder, kind="head")

    @pytest.mark.parametrize("kind", ["steps", "tokens"])
    def test_so_do_heads_of_steps_and_tokens(self, kind: str, tmp_path: Path) -> None:
        head = {name.replace("score", "v_head"): shape for name, shape in TWO_LAYERS.items()}
        with pytest.raises(Refused, match="give --activation"):
            choose(write_checkpoint(tmp_path, "Qwen2ForPrm", "qwen2", head), kind=kind)

    def test_an_activation_may_be_none_if_that_is_said(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "SomeForReward", "qwen2", TWO_LAYERS)
        assert choose(folder, kind="head", activation="none").kind == "head"

    def test_a_head_of_one_layer_needs_none(self, tmp_path: Path) -> None:
        assert choose(write_checkpoint(tmp_path, "SomeForReward", "qwen2", ONE_LAYER), kind="head").kind == "head"

    @pytest.mark.parametrize(
        ("architecture", "model_type", "kind"),
        [
            ("Qwen2ForRewardModel", "qwen2", "head"),
            ("INFORMForSequenceClassification", "llama", "head"),
            ("Qwen2ForProcessRewardModel", "qwen2", "steps"),
        ],
    )
    def test_known_classes_know_theirs_and_their_kind(
        self, architecture: str, model_type: str, kind: str, tmp_path: Path
    ) -> None:
        assert choose(write_checkpoint(tmp_path, architecture, model_type, TWO_LAYERS)).kind == kind

    @pytest.mark.parametrize(("layers", "activation"), [("mlp", "relu"), ("linear", "none")])
    def test_grm_says_in_its_configuration(self, layers: str, activation: str, tmp_path: Path) -> None:
        from reward_models.convert.heads import find_head
        from reward_models.convert.tensors import list_tensors

        head = {"v_head.summary.0.weight": (2, 2), "v_head.summary.2.weight": (1, 2)}
        folder = write_checkpoint(tmp_path, "LlamaForCausalLM", "llama", head, vhead_layer_type=layers)
        options = choose(folder)
        assert options.kind == "head"
        assert find_head(fetch_checkpoint(str(folder)), options, list_tensors(folder)).activation == activation


class TestOtherClasses:
    @pytest.mark.parametrize(
        ("architecture", "model_type"),
        [
            ("LlamaForRewardModelOfOurs", "llama"),
            ("LlamaForCausalLM", "llama"),
            ("MyLlamaForSequenceClassification", "llama"),
            ("Qwen2ForSequenceClassification", "llama"),
            ("BertModel", "bert"),
        ],
    )
    def test_a_class_that_is_not_the_one_loaded(self, architecture: str, model_type: str, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, architecture, model_type, ONE_LAYER)
        with pytest.raises(
            Refused, match=rf"the class {architecture};.*plain class of {model_type}.*a server that knows its class"
        ):
            choose(folder, kind="sequence")

    @pytest.mark.parametrize(
        ("architecture", "model_type"),
        [
            ("LlamaForSequenceClassification", "llama"),
            ("DebertaV2ForSequenceClassification", "deberta-v2"),
            ("XLMRobertaForSequenceClassification", "xlm-roberta"),
            ("GPT2ForSequenceClassification", "gpt-sw3"),
            ("GPTNeoXForSequenceClassification", "gpt_neox"),
        ],
    )
    def test_the_plain_class_by_any_spelling_of_its_type(
        self, architecture: str, model_type: str, tmp_path: Path
    ) -> None:
        assert choose(write_checkpoint(tmp_path, architecture, model_type, ONE_LAYER)).kind == "sequence"

    @pytest.mark.parametrize("task", ["SequenceClassification", "TokenClassification"])
    def test_a_plain_name_with_code_of_its_own(self, task: str, tmp_path: Path) -> None:
        """Without its code, transformers would load its own class of that name."""
        mapped = {f"AutoModelFor{task}": f"modeling_own.LlamaFor{task}"}
        folder = write_checkpoint(tmp_path, f"LlamaFor{task}", "llama", ONE_LAYER, auto_map=mapped)
        kind = "sequence" if task.startswith("Seq") else "steps"
        with pytest.raises(Refused, match=r"code of its own \(`auto_map`\).*take `auto_map` out"):
            choose(folder, kind=kind)

    def test_a_known_class_is_told_its_kind(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "INFORMForSequenceClassification", "llama", TWO_LAYERS)
        with pytest.raises(Refused, match="use --kind head"):
            choose(folder, kind="sequence")

    def test_token_classifiers_as_well(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "OurForTokenClassification", "qwen2", ONE_LAYER)
        with pytest.raises(Refused, match="the class OurForTokenClassification"):
            choose(folder, kind="steps")

    @pytest.mark.parametrize(
        "tensor",
        ["gating.layers.0.weight", "regression_layer.weight", "reward_transform_matrix", "weights.fc.0.weight"],
    )
    def test_tensors_that_weigh_scores(self, tensor: str, tmp_path: Path) -> None:
        """ArmoRM, QRM and URM: taken for the plain class, their gates were left out without a word."""
        folder = write_checkpoint(tmp_path, "LlamaForSequenceClassification", "llama", {**ONE_LAYER, tensor: (2, 2)})
        with pytest.raises(Refused, match=rf"weigh its scores \({tensor}\).*--kind gated"):
            choose(folder)

    def test_several_heads(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "SomeModel", "llama", {**ONE_LAYER, "v_head.weight": (1, 2)})
        with pytest.raises(Refused, match=r"several heads \(v_head., score.\).*--head"):
            choose(folder, kind="head")

    def test_no_head(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match=r"has no head .*score_head., regression_head."):
            choose(write_checkpoint(tmp_path, "SomeModel", "llama"), kind="head")


class TestVision:
    @pytest.mark.parametrize(
        ("architecture", "model_type"),
        [
            ("Qwen2_5_VLForSequenceClassification", "qwen2_5_vl"),
            ("Gemma3ForSequenceClassification", "gemma3"),
            ("LlavaForConditionalGeneration", "llava"),
        ],
    )
    @pytest.mark.parametrize("kind", ["sequence", "head", "steps"])
    def test_a_model_that_sees_is_no_text_model(
        self, architecture: str, model_type: str, kind: str, tmp_path: Path
    ) -> None:
        folder = write_checkpoint(tmp_path, architecture, model_type, ONE_LAYER, vision_config={"depth": 2})
        with pytest.raises(Refused, match=r"sees images.*`images: true`.*--text-only"):
            choose(folder, kind=kind)

    def test_unless_the_user_wants_its_text_side(self, tmp_path: Path) -> None:
        folder = write_checkpoint(
            tmp_path, "Gemma3ForSequenceClassification", "gemma3", ONE_LAYER, vision_config={"d": 2}
        )
        assert choose(folder, text_only=True).kind == "sequence"


class TestWaysThatWork:
    @pytest.mark.parametrize(
        ("architecture", "model_type", "said"),
        [
            ("MixtralForSequenceClassification", "mixtral", {"num_local_experts": 8}),
            ("Qwen3MoeForSequenceClassification", "qwen3_moe", {"num_experts": 128}),
            ("DeepseekV3ForSequenceClassification", "deepseek_v3", {"n_routed_experts": 256}),
        ],
    )
    def test_mixtures_of_experts(
        self, architecture: str, model_type: str, said: dict[str, Any], tmp_path: Path
    ) -> None:
        folder = write_checkpoint(tmp_path, architecture, model_type, ONE_LAYER, **said)
        with pytest.raises(Refused, match=r"mixture of \d+ experts.*--engine torch.*upstream"):
            choose(folder)

    def test_windows(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "LongformerForSequenceClassification", "longformer", ONE_LAYER)
        with pytest.raises(Refused, match=r"longformer attends in windows.*--engine torch.*upstream"):
            choose(folder)

    @pytest.mark.parametrize("method", ["fp8", "awq", "gptq", "bitsandbytes", "compressed-tensors"])
    def test_quantised_weights_by_their_configuration(self, method: str, tmp_path: Path) -> None:
        folder = write_checkpoint(
            tmp_path, "LlamaForSequenceClassification", "llama", ONE_LAYER, quantization_config={"quant_method": method}
        )
        with pytest.raises(Refused, match=rf"(?i)quantised \({method}\).*upstream.*quantised from"):
            choose(folder)

    @pytest.mark.parametrize("name", ["weight_scale_inv", "qweight"])
    def test_quantised_weights_by_their_tensors(self, name: str, tmp_path: Path) -> None:
        folder = write_checkpoint(
            tmp_path,
            "LlamaForSequenceClassification",
            "llama",
            {**ONE_LAYER, f"model.layers.0.mlp.up_proj.{name}": (1,)},
        )
        with pytest.raises(Refused, match="weights are quantised"):
            choose(folder)

    def test_eight_bits_by_the_type_of_the_tensors(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "LlamaForSequenceClassification", "llama", ONE_LAYER)
        path = folder / "model.safetensors"
        header = json.dumps({"score.weight": {"dtype": "F8_E4M3", "shape": [1, 2], "data_offsets": [0, 2]}}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
        with pytest.raises(Refused, match=r"quantised \(FP8\)"):
            choose(folder)

    def test_siglip_is_no_clip(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "SiglipModel", "siglip", vision_config={"d": 1}, text_config={"d": 1})
        with pytest.raises(Refused, match=r"--kind clip is for clip; the checkpoint is siglip: use --kind siglip"):
            choose(folder, kind="clip")

    def test_images_of_any_shape(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "Siglip2Model", "siglip2", vision_config={"d": 1}, text_config={"d": 1})
        with pytest.raises(
            Refused, match="--kind siglip is for siglip; the checkpoint is siglip2: put a server of your own"
        ):
            choose(folder)

    def test_other_images_have_other_ways(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "BlipForImageTextRetrieval", "blip", vision_config={"d": 1})
        with pytest.raises(Refused, match="the checkpoint is blip: use --kind blip"):
            choose(folder, kind="pickscore")

    def test_the_entry_that_is_advised_for_images_is_one(self) -> None:
        named = dict(part.split(": ") for part in re.findall(r"`([^`]+)`", IMAGE_WAYS))
        entry = {"protocol": named["protocol"], "images": named["images"] == "true", "input": "messages"}
        UpstreamConfig.model_validate({**entry, "urls": ["http://images:8000"], "dimensions": ["score"]})

    def test_a_language_model_is_no_reward_model(self, tmp_path: Path) -> None:
        with pytest.raises(
            Refused, match=r"no reward model by its configuration.*a server that knows its class.*is a judge"
        ):
            choose(write_checkpoint(tmp_path, "LlamaForCausalLM", "llama"))


class TestAdapters:
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> Path:
        folder = tmp_path / "adapter"
        folder.mkdir()
        said = {"peft_type": "LORA", "lora_alpha": 4, "r": 2, "base_model_name_or_path": "owner/base"}
        (folder / "adapter_config.json").write_text(json.dumps(said))
        (folder / "adapter_model.safetensors").write_bytes(b"")
        return folder

    def find(self, folder: Path, base: str = "") -> Any:
        from reward_models.convert.adapters import find_adapter

        return find_adapter(fetch_checkpoint(str(folder)), base)

    def test_a_folder_of_peft_asks_for_its_base(self, adapter: Path) -> None:
        with pytest.raises(Refused, match=r"an adapter and no full weights.*\(owner/base\) with --base"):
            self.find(adapter)

    def test_an_adapter_beside_full_weights_is_not_ignored(self, adapter: Path) -> None:
        write_checkpoint(adapter, "LlamaForSequenceClassification", "llama", ONE_LAYER)
        with pytest.raises(Refused, match=r"beside full weights.*delete its files if they do.*--base"):
            self.find(adapter)

    @pytest.mark.parametrize("said", [{"peft_type": "IA3"}, {"use_dora": True}, {"bias": "all"}])
    def test_what_is_no_plain_lora(self, said: dict[str, Any], adapter: Path) -> None:
        path = adapter / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | said))
        with pytest.raises(Refused, match=r"Only plain LoRA is merged.*merge_and_unload"):
            self.find(adapter, "base")

    def test_a_base_without_an_adapter(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="--base is for adapters"):
            self.find(write_checkpoint(tmp_path, "LlamaForSequenceClassification", "llama", ONE_LAYER), "base")

    def test_an_adapter_that_is_plain(self, adapter: Path) -> None:
        found = self.find(adapter, "base")
        assert found.scale("model.layers.0.self_attn.q_proj", 2) == 2.0


class TestFiles:
    def test_a_shard_that_is_not_there(self, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "LlamaForSequenceClassification", "llama", ONE_LAYER)
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        shards = {"score.weight": "model-00001-of-00002.safetensors", "x": "model-00002-of-00002.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        with pytest.raises(Refused, match=r"names model-00002-of-00002.safetensors, which is not there"):
            choose(folder)

    @pytest.mark.parametrize("keep", [4, 40, -1])
    def test_a_file_that_is_cut_short(self, keep: int, tmp_path: Path) -> None:
        folder = write_checkpoint(tmp_path, "LlamaForSequenceClassification", "llama", ONE_LAYER)
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(Refused, match=r"model.safetensors cannot be read \(\w+\): it is damaged, or cut short"):
            choose(folder)

    def test_a_configuration_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("[]")
        with pytest.raises(Refused, match="holds no JSON object"):
            choose(tmp_path)

    def test_a_pickle_that_would_run_code(self, tmp_path: Path) -> None:
        import pickle
        import zipfile

        folder = write_checkpoint(tmp_path, "LlamaForSequenceClassification", "llama", ONE_LAYER)
        (folder / "model.safetensors").unlink()
        with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"score.weight": Path("x")}))
        with pytest.raises(Refused, match=r"pytorch_model.bin holds more than tensors \(pathlib"):
            choose(folder)


def test_a_repository_that_is_not_there_is_told_before_anything_is_read(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "SomeForReward", "qwen2", ONE_LAYER)
    with pytest.raises(Refused, match=f"no folder {tmp_path / 'models'}: name the model repository"):
        add_checkpoint(str(folder), "rm", tmp_path / "models", Options())
