"""What a refusal advises works: the flags that it names are tried on the checkpoint that was refused."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import transformers  # noqa: E402
from reward_models.convert import Options, Refused, tiny  # noqa: E402
from reward_models.convert.__main__ import make_parser  # noqa: E402
from reward_models.convert.add import Added, add_checkpoint  # noqa: E402
from reward_models.convert.advice import IMAGE_WAYS  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from tests.convert.known_layouts import write_own_code  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

Make = Callable[[str], Path]
FLAG = re.compile(r"--(?:kind|engine|truncate|activation|output)[ =][a-z]+|--trust-remote-code|--text-only")


def read_flags(message: str) -> list[str]:
    """The flags of a message's advice, which stands behind what was wrong: the last of each."""
    found: dict[str, list[str]] = {}
    for flag in FLAG.findall(message):
        words = re.split("[ =]", flag)
        found[words[0]] = words
    return [word for words in found.values() for word in words]


def add(source: Path, repository: Path, **options: Any) -> Added:
    return add_checkpoint(str(source), "model", repository, Options(**options), say=lambda line: None)


def follow_advice(source: Path, repository: Path, flags: list[str]) -> Added:
    said = vars(make_parser().parse_args([*flags, "--name", "model", str(source)]))
    for key in ("source", "name", "repository", "dry_run", "dimensions", "answers"):
        del said[key]
    return add(source, repository, **said)


def change_config(source: Path, folder: Path, **said: Any) -> Path:
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text()) | said
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_mixture(folder: Path) -> None:
    tokenizer = tiny.bytes_tokenizer(tiny.CHATML, model_max_length=1 << 40)
    said = {**tiny.DECODER, "num_labels": 1, "num_local_experts": 4}
    tiny.save_classifier(folder, tokenizer, "Mixtral", "SequenceClassification", said)


def write_unknown_class(folder: Path) -> None:
    """A class whose name says nothing, and which transformers' ``AutoModel`` alone is told of."""
    write_own_code(folder)
    name = "OwnRewardModel"
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": [name], "auto_map": {"AutoModel": f"modeling_own.{name}"}}
    (folder / "config.json").write_text(json.dumps(config))
    code = (folder / "modeling_own.py").read_text()
    (folder / "modeling_own.py").write_text(code.replace("LlamaBidirectionalForSequenceClassification", name))


def write_gates(folder: Path) -> None:
    """Code of its own that weighs scores by a tensor which no class of transformers has."""
    write_own_code(folder)
    tensors = load_file(folder / "model.safetensors")
    code = (folder / "modeling_own.py").read_text()
    made = "    def __init__(self, config):\n        super().__init__(config)\n"
    made += "        self.gating = torch.nn.Linear(1, 1, bias=False)\n\n"
    (folder / "modeling_own.py").write_text(
        "import torch\n" + code.replace("    def forward", made + "    def forward")
    )
    save_file(tensors | {"gating.weight": torch.ones(1, 1)}, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("write", "options", "engine"),
    [
        (write_mixture, {"engine": "onnx"}, "torch"),
        (write_own_code, {}, "torch"),
        (write_unknown_class, {}, "torch"),
        (write_gates, {}, "torch"),
    ],
)
def test_networks_over_texts(
    write: Callable[[Path], None], options: dict[str, Any], engine: str, repository: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    write(folder)
    with pytest.raises(Refused) as refused:
        add(folder, repository, **options)
    assert list(repository.iterdir()) == []
    flags = read_flags(str(refused.value))
    assert flags
    assert follow_advice(folder, repository, flags).engine == engine


def test_a_kind_that_is_named(checkpoint: Make, repository: Path) -> None:
    """Of a known class, of another kind of images, and of gates that read a text which is not cut."""
    for made, options in (("siglip", {"kind": "clip"}), ("blip", {"kind": "hps"}), ("gated", {"truncate": "left"})):
        with pytest.raises(Refused) as refused:
            add(checkpoint(made), repository, **options)
        follow_advice(checkpoint(made), repository, read_flags(str(refused.value)))
        shutil.rmtree(repository / "model")


def test_a_network_without_a_graph(checkpoint: Make, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> None:
        raise ValueError("no operator for this")

    monkeypatch.setattr("reward_models.convert.graph.export_graph", fail)
    with pytest.raises(Refused) as refused:
        add(checkpoint("bert"), repository, engine="onnx")
    assert follow_advice(checkpoint("bert"), repository, read_flags(str(refused.value))).engine == "torch"


class TestImages:
    """No engine runs a network over images, so none is advised: a server of one's own is."""

    def test_an_engine_is_not_advised(
        self, checkpoint: Make, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said = []
        for made, options in (("siglip", {"model_type": "siglip2"}), ("pictures", {"vision_config": {"depth": 1}})):
            folder = change_config(checkpoint(made), tmp_path / made, architectures=["Other"], **options)
            with pytest.raises(Refused) as refused:
                add(folder, repository)
            said.append(str(refused.value))

        def fail(*given: Any) -> None:
            raise ValueError("no operator for this")

        monkeypatch.setattr("reward_models.convert.graph.export_graph", fail)
        monkeypatch.setattr("reward_models.convert.clips.graph.export_graph", fail)
        for engine in ("onnx", "auto"):
            with pytest.raises(Refused, match="no operator for this") as refused:
                add(checkpoint("pictures"), repository, engine=engine)
            said.append(str(refused.value))
        for message in said:
            assert IMAGE_WAYS in message
            assert "--engine" not in message

    @pytest.mark.parametrize("engine", ["torch", "vllm"])
    def test_an_engine_says_what_runs_it(self, engine: str, checkpoint: Make, repository: Path) -> None:
        with pytest.raises(Refused, match="--kind clip needs --engine onnx") as refused:
            add(checkpoint("clip"), repository, engine=engine)
        flags = ["--kind", "clip", "--engine", "onnx"]
        assert read_flags(str(refused.value)) == flags
        assert follow_advice(checkpoint("clip"), repository, flags).engine == "onnx"


def test_plain_weights_beside_a_mention_of_code(checkpoint: Make, repository: Path, tmp_path: Path) -> None:
    """The advice to take ``auto_map`` out, where the class is that of transformers after all."""
    mapped = {"AutoModelForSequenceClassification": "modeling_own.LlamaForSequenceClassification"}
    folder = change_config(checkpoint("llama"), tmp_path / "mapped", auto_map=mapped)
    with pytest.raises(Refused, match=r"take `auto_map` out of config\.json"):
        add(folder, repository)
    config = json.loads((folder / "config.json").read_text())
    del config["auto_map"]
    (folder / "config.json").write_text(json.dumps(config))
    assert add(folder, repository).kind == "sequence"
    assert transformers.AutoConfig.from_pretrained(folder).architectures == ["LlamaForSequenceClassification"]
