"""GGUF files read at build: the weights bit for bit, the tokeniser as it was, and nothing that is not known."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, dequantize, quantize
from reward_models.build.conversions import convert_file
from reward_models.build.gguf_tokenizer import convert_tokenizer
from reward_models.build.gguf_weights import convert_weights
from reward_models.repository.card import RepositoryError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

RANDOM = np.random.default_rng(0)
DENSE = RANDOM.normal(size=(6, 64)).astype(np.float32)
KINDS = {"four": GGMLQuantizationType.Q4_1, "eight": GGMLQuantizationType.Q8_0}
TOKENS = ["<|end|>", *"abc1", "Ġ", "ab", "Ġab"]


def written(path: Path, kind: GGMLQuantizationType | None = None, rule: str = "smollm") -> Path:
    """A small GGUF file; with a kind, one tensor of that alone."""
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(rule)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] + [1] * (len(TOKENS) - 1))
    writer.add_token_merges(["a b", "Ġ ab"])
    for name, own in {"odd": kind}.items() if kind else KINDS.items():
        writer.add_tensor(name, quantize(DENSE, own), raw_dtype=own)
    writer.add_tensor("plain", DENSE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_weights_are_the_published_ones_and_nothing_is_rounded(tmp_path: Path) -> None:
    convert_weights(written(tmp_path / "a.gguf"), tmp_path / "a.safetensors")
    found = load_file(tmp_path / "a.safetensors")
    packed = found["four.packed"]
    whole = np.stack([packed & 15, packed >> 4], -1).reshape(6, 2, 32).astype(np.float64)
    low = found["four.offset"].T[..., None] - 8 * found["four.scale"][..., None]
    four = whole * found["four.scale"][..., None] + low
    eight = (found["eight.packed"].astype(np.float64) - 128) * found["eight.scale"][..., None]
    for mine, kind in ((four, KINDS["four"]), (eight, KINDS["eight"])):
        np.testing.assert_allclose(mine.reshape(6, 64), dequantize(quantize(DENSE, kind), kind), atol=1e-6, rtol=0)
    np.testing.assert_array_equal(found["plain"], DENSE)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    source = written(tmp_path / "a.gguf")
    made = []
    for name in ("gguf-weights", "gguf-tokenizer"):
        for _ in range(2):
            target = io.BytesIO()
            convert_file(name, io.BytesIO(source.read_bytes()), target)
            made.append(hashlib.sha256(target.getvalue()).hexdigest())
    assert made[0] == made[1] != made[2] == made[3]


def test_the_tokeniser_cuts_as_it_was_trained(tmp_path: Path) -> None:
    convert_tokenizer(written(tmp_path / "a.gguf"), tmp_path / "tokenizer.json")
    made = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert made.encode("ab ab 11<|end|>c").tokens == ["ab", "Ġab", "Ġ", "1", "1", "<|end|>", "c"]


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Q4_0"):
        convert_weights(written(tmp_path / "a.gguf", GGMLQuantizationType.Q4_0), tmp_path / "out")
    with pytest.raises(ValueError, match="llama-bpe"):
        convert_tokenizer(written(tmp_path / "b.gguf", rule="llama-bpe"), tmp_path / "out")
    with pytest.raises(RepositoryError, match="gguf-weights"):
        convert_file("gguf-wieghts", io.BytesIO(), io.BytesIO())
    with pytest.raises(RepositoryError, match="cannot read"):
        convert_file("gguf-weights", io.BytesIO(b"not a model" * 10), io.BytesIO())
