"""A checkpoint run by torch scores as `transformers` does, and as its graph does; what is no graph goes to torch."""

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from reward_models.build import check_model  # noqa: E402
from reward_models.convert import Options, Refused, tiny  # noqa: E402
from reward_models.convert.add import Added, add_checkpoint  # noqa: E402
from reward_models.convert.engines import plans  # noqa: E402
from reward_models.convert.samples import text_rows  # noqa: E402
from reward_models.repository import card as cards  # noqa: E402
from reward_models.runtime.classifier import SequenceScorer  # noqa: E402
from reward_models.runtime.instance import Instance  # noqa: E402
from reward_models.runtime.rows import Answer, Scorer  # noqa: E402
from reward_models.runtime.session import Device  # noqa: E402
from reward_models.runtime.steps import StepScorer  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Of torch and transformers themselves.
    pytest.mark.filterwarnings("ignore"),
]

Make = Callable[[str], Path]

KINDS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("bert", {}, ("reward",)),
    ("roberta", {"output": "softmax"}, ("helpful", "honest", "harmless")),
    ("llama-unpadded", {}, ("reward",)),
    ("qwen3", {"truncate": "refuse", "link": True}, ("reward",)),
    ("gemma2", {"dtype": "bfloat16"}, ("reward",)),
    ("step-tokens", {"kind": "steps"}, ("min", "mean", "last")),
    ("process-reward", {}, ("min", "mean", "last")),
    ("language", {"kind": "steps", "answers": ("+", "-"), "step_mark": "</s>"}, ("min", "mean", "last")),
    ("critic", {"kind": "head", "activation": "silu"}, ("reward",)),
]


def add(source: Path, repository: Path, name: str = "model", **options: Any) -> Added:
    said = {"engine": "torch", **options}
    return add_checkpoint(str(source), name, repository, Options(**said), say=lambda line: None)


@contextmanager
def opened(repository: Path, name: str, **how: Any) -> Iterator[Scorer]:
    """The scorer of a model, as Triton makes it; ``how`` is the card's ``engine``."""
    card = cards.read_card(repository / name)
    content = card.content | {"engine": how}
    instance = Instance(
        repository / name / "1", tuple(card.dimensions), tuple(card.content["flags"]), content, Device()
    )
    scorer: Scorer = (StepScorer if "unit" in content["settings"] else SequenceScorer)(instance)
    yield scorer
    del scorer
    gc.collect()


def ask(scorer: Scorer, rows: Any) -> Answer:
    return scorer.score({name: [row[name] for row in rows] for name in rows[0]}, len(rows))


@pytest.mark.parametrize(("made", "options", "dimensions"), KINDS)
def test_an_engine_s_score_is_that_of_transformers(
    made: str, options: dict[str, Any], dimensions: tuple[str, ...], checkpoint: Make, repository: Path
) -> None:
    added = add(checkpoint(made), repository, **options)
    assert (added.version, added.engine, added.dimensions) == (1, "torch", dimensions)
    exact = options.get("dtype", "float32") == "float32"
    assert added.measured.to_torch < (1e-5 if exact else 1e-1)
    assert added.measured.between_batches < (1e-5 if exact else 1e-1)
    assert check_model("model", repository) == []


@pytest.mark.parametrize("made", ["bert", "llama", "qwen3"])
def test_alone_and_in_batches_it_is_what_transformers_alone_says(made: str, checkpoint: Make, repository: Path) -> None:
    """Against the plainest use of ``transformers``, which shares no code with the engine."""
    folder = checkpoint(made)
    add(folder, repository)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = [row for row in text_rows(0) if not row["messages"]][:6]
    expected = []
    for row in rows:
        prompt, response = row["prompt"].decode(), row["response"].decode()
        if made == "bert":
            given = tokenizer(prompt.strip(), response, return_tensors="pt", truncation=True, max_length=128)
        else:
            turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
            given = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            expected.append(model(**given).logits[0].tolist())
    with opened(repository, "model", token_budget=200) as scorer:
        together = ask(scorer, rows)
        alone = [ask(scorer, [row]) for row in rows]
    assert not together.errors
    np.testing.assert_allclose(together.scores, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose([answer.scores[0] for answer in alone], expected, rtol=1e-5, atol=1e-5)


def test_the_graph_of_a_checkpoint_and_torch_agree(checkpoint: Make, repository: Path) -> None:
    rows = text_rows(0)
    add(checkpoint("qwen3"), repository, "by_torch")
    add(checkpoint("qwen3"), repository, "by_onnx", engine="onnx")
    with opened(repository, "by_torch") as torch_scorer, opened(repository, "by_onnx") as onnx_scorer:
        by_torch, by_onnx = ask(torch_scorer, rows), ask(onnx_scorer, rows)
    np.testing.assert_allclose(by_torch.scores, by_onnx.scores, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(by_torch.flags, by_onnx.flags)


@pytest.mark.skipif("REWARD_MODELS_VLLM_PYTHON" not in os.environ, reason="REWARD_MODELS_VLLM_PYTHON names no vLLM")
def test_the_graph_torch_and_vllm_agree(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}.items():
        monkeypatch.setenv(variable, value)
    tokenizer = tiny.bytes_tokenizer(tiny.CHATML, model_max_length=1 << 40)
    said = {**tiny.DECODER, "num_labels": 1, "head_dim": 64}  # vLLM has no kernel for smaller ones
    tiny.save_classifier(tmp_path, tokenizer, "Qwen3", "SequenceClassification", said)
    rows, found = text_rows(0), []
    for engine in ("onnx", "torch", "vllm"):
        add(tmp_path, repository, f"by_{engine}", engine=engine)
        with opened(repository, f"by_{engine}") as scorer:
            found.append(ask(scorer, rows).scores)
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[2], found[0], rtol=0, atol=1e-4)


class TestFiles:
    def test_the_version_changes_with_the_weights_and_with_what_is_told(
        self, checkpoint: Make, repository: Path, tmp_path: Path
    ) -> None:
        add(checkpoint("qwen2"), repository, "one")
        add(checkpoint("qwen2"), repository, "same")
        add(checkpoint("qwen2"), repository, "other", dtype="bfloat16")
        trained = tmp_path / "trained"
        model = transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint("qwen2"))
        shutil.copytree(checkpoint("qwen2"), trained)
        model.score.weight.data += 0.1
        model.save_pretrained(trained)
        add(trained, repository, "new")
        one, same, other, new = (cards.read_card(repository / name).version for name in ("one", "same", "other", "new"))
        assert one == same
        assert len({one, other, new}) == 3

    def test_the_checkpoint_itself_is_left_as_it_was(self, checkpoint: Make, repository: Path) -> None:
        before = {path.name: path.read_bytes() for path in checkpoint("llama").iterdir()}
        add(checkpoint("llama"), repository, link=True)
        assert {path.name: path.read_bytes() for path in checkpoint("llama").iterdir()} == before


class TestAuto:
    def test_a_small_network_becomes_a_graph(self, checkpoint: Make, repository: Path) -> None:
        assert add(checkpoint("bert"), repository, engine="auto").engine == "onnx"

    def test_a_large_one_is_run_by_torch(
        self, checkpoint: Make, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plans, "LARGEST_GRAPH", 1000)
        said: list[str] = []
        add_checkpoint(str(checkpoint("bert")), "model", repository, Options(engine="auto"), say=said.append)
        assert "model: by torch, as 0.0 billion parameters are too many for a graph" in said

    def test_so_is_one_that_torch_cannot_export(
        self, checkpoint: Make, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*given: Any) -> None:
            raise ValueError("no operator for this")

        monkeypatch.setattr("reward_models.convert.graph.export_graph", fail)
        said: list[str] = []
        added = add_checkpoint(str(checkpoint("bert")), "model", repository, Options(engine="auto"), say=said.append)
        assert added.engine == "torch"
        assert any("as there is no graph" in line and "no operator for this" in line for line in said)
        with pytest.raises(Refused, match="no operator for this"):
            add(checkpoint("bert"), repository, engine="onnx")


class TestCodeOfACheckpoint:
    @pytest.fixture
    def own_code(self, checkpoint: Make, tmp_path: Path) -> Path:
        """A checkpoint whose class stands beside its weights."""
        folder = tmp_path / "own-code"
        shutil.copytree(checkpoint("bert"), folder)
        config = json.loads((folder / "config.json").read_text())
        config |= {
            "architectures": ["OwnForSequenceClassification"],
            "auto_map": {"AutoModelForSequenceClassification": "modeling_own.OwnForSequenceClassification"},
        }
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "modeling_own.py").write_text(
            "from transformers import BertForSequenceClassification\n\n"
            "class OwnForSequenceClassification(BertForSequenceClassification):\n"
            "    def forward(self, *args, **kwargs):\n"
            "        given = super().forward(*args, **kwargs)\n"
            "        given.logits = 2 * given.logits\n"
            "        return given\n"
        )
        return folder

    def test_it_is_run_only_if_the_operator_says_so(self, own_code: Path, checkpoint: Make, repository: Path) -> None:
        add(checkpoint("bert"), repository, "plain")
        add(own_code, repository, "own", trust_remote_code=True)
        rows = text_rows(0)[:3]
        with opened(repository, "plain") as plain, opened(repository, "own") as own:
            np.testing.assert_allclose(ask(own, rows).scores, 2 * ask(plain, rows).scores, rtol=1e-4)
        card = cards.read_card(repository / "own")
        assert "modeling_own.py" in {file.name for file in card.files}
        assert any("trust_remote_code" in limit for limit in card.content["limits"])


class TestRefusals:
    def test_an_engine_that_does_not_start_is_refused_in_its_words(
        self, checkpoint: Make, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REWARD_MODELS_TORCH_PYTHON", "/bin/false")
        with pytest.raises(
            Refused, match=r"The engine torch ended while it started \(status 1\)\. Nothing was written"
        ):
            add(checkpoint("bert"), repository)
        assert list(repository.iterdir()) == []

    def test_weights_that_are_damaged_do_not_load(self, checkpoint: Make, repository: Path) -> None:
        add(checkpoint("bert"), repository)
        weights = repository / "model" / "1" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with pytest.raises(RuntimeError, match="engine torch does not start: Refused"), opened(repository, "model"):
            pass
