"""NeMo-Aligner's and trlX's requests, as their clients make them. They have no place for a failure but an error."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as over_grpc
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.settings import Settings

URL = "/v2/models/reward_model/infer"
NAMES = ("rewards", "exceeded")


def infer(served: Any, outputs: tuple[str, ...] = NAMES, **inputs: np.ndarray[Any, Any]) -> Any:
    """As pytriton's client asks: everything binary, every output of the configuration, a number for an id."""
    tensors, datatypes = [], {"int64": "INT64", "int32": "INT32", "object": "BYTES"}
    described = []
    for name, values in inputs.items():
        if values.dtype == np.object_:
            raw = b"".join(struct.pack("<I", len(text)) + text for text in values.ravel().tolist())
        else:
            raw = values.tobytes()
        tensors.append(raw)
        described.append(
            {
                "name": name,
                "shape": list(values.shape),
                "datatype": datatypes[str(values.dtype)],
                "parameters": {"binary_data_size": len(raw)},
            }
        )
    header = json.dumps(
        {
            "id": "0",
            "inputs": described,
            "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
        }
    ).encode()
    length = {"Inference-Header-Content-Length": str(len(header))}
    return served.post(URL, b"".join((header, *tensors)), headers=length)


def tensors_of(answer: Any) -> dict[str, Any]:
    """Outputs of a binary answer, by name."""
    assert answer.status_code == 200, answer.text
    at = int(answer.headers["inference-header-content-length"])
    found: dict[str, Any] = {}
    for output in json.loads(answer.content[:at])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        dtype = {"FP32": "<f4", "FP16": "<f2", "BOOL": "?"}[output["datatype"]]
        found[output["name"]] = np.frombuffer(answer.content[at : at + size], dtype).reshape(output["shape"])
        at += size
    return found


def sentences(*texts: str) -> np.ndarray[Any, Any]:
    return np.array([[text.encode()] for text in texts], np.object_)


def test_nemo_aligners_client_finds_what_it_looks_for_before_it_asks(served: Any) -> None:
    for path in ("/v2/health/ready", "/v2/health/live", "/v2/models/reward_model/ready"):
        assert served.get(path).status_code == 200
    config = served.get("/v2/models/reward_model/config").json()
    assert config["max_batch_size"] > 0
    assert config["model_transaction_policy"]["decoupled"] is False
    assert [tensor["name"] for tensor in config["output"]] == list(NAMES)
    assert {t["name"]: (t["data_type"], t["dims"], t["optional"]) for t in config["input"]} == {
        "sentences": ("TYPE_STRING", [1], True),
        "tokens": ("TYPE_INT64", [-1], True),
        "sequence_lengths": ("TYPE_INT64", [1], True),
    }


def test_sentences_are_responses_scored_by_the_default_recipe(served: Any) -> None:
    texts = ["a good answer", "long text", ""]
    found = tensors_of(infer(served, sentences=sentences(*texts)))
    assert found["rewards"].shape == (3, 1)
    assert found["rewards"].ravel().tolist() == pytest.approx(served.native("plain", [""] * 3, texts))
    assert found["exceeded"].ravel().tolist() == [False, True, False]  # the model read a part of the second


def test_tokens_are_read_by_the_tokenizer_that_is_configured(served: Any) -> None:
    tokens = np.array([[1, 2, 3, 0, 0], [2, 3, 0, 0, 0]], np.int64)
    lengths = np.array([[3], [2]], np.int64)
    found = tensors_of(infer(served, tokens=tokens, sequence_lengths=lengths))
    expected = served.native("plain", ["", ""], ["agoodanswer", "goodanswer"])
    assert found["rewards"].ravel().tolist() == pytest.approx(expected)
    one = tensors_of(infer(served, ("rewards",), tokens=tokens[:1], sequence_lengths=lengths[0]))
    assert one["rewards"].tolist() == [[expected[0]]]


def test_what_stands_behind_a_sequences_length_is_not_read(served: Any) -> None:
    lengths = np.array([[1]], np.int64)
    short = tensors_of(infer(served, tokens=np.array([[2, 3, 3]], np.int64), sequence_lengths=lengths))
    other = tensors_of(infer(served, tokens=np.array([[2, 999, -5]], np.int64), sequence_lengths=lengths))
    assert short["rewards"].tolist() == other["rewards"].tolist() == [[8.0]]


def test_trlx_gets_half_precision_over_grpc_from_any_recipe(served: Any) -> None:
    with over_grpc.InferenceServerClient(served.grpc) as client:
        ids = np.array([[1, 2, 0, 0], [2, 3, 3, 0]], np.int32)
        tensor = over_grpc.InferInput("input_ids", list(ids.shape), "INT32")
        tensor.set_data_from_numpy(ids)
        for model, recipe in (("mixed", "mixed"), ("reward_model", "plain")):
            rewards = client.infer(model, [tensor]).as_numpy("rewards")
            assert (rewards.dtype, rewards.shape) == (np.float16, (2, 1))
            native = served.native(recipe, ["", ""], ["agood", "goodansweranswer"])
            assert rewards.ravel().tolist() == pytest.approx(native, rel=1e-3)
        with pytest.raises(over_grpc.InferenceServerException, match="not finite in this output"):
            client.infer("large", [tensor])  # over 65504


def test_a_sample_without_a_reward_fails_the_request(served: Any) -> None:
    assert "samples[1]" in served.refused(infer(served, sentences=sentences("good", "bad")), 503)  # the model failed
    assert "FP32" not in served.refused(served.post("/v2/models/huge/infer", served.texts(sentences=["x"])), 422)
    # not even a number that the operator chose for other clients:
    served.refused(served.post("/v2/models/filled/infer", served.texts(sentences=["bad"])), 503)


def test_token_ids_that_the_tokenizer_does_not_have_fail_the_request(served: Any) -> None:
    lengths = np.array([[2]], np.int64)
    for strange in (7, -1):
        answer = infer(served, tokens=np.array([[1, strange]], np.int64), sequence_lengths=lengths)
        assert "token id" in served.refused(answer, 422)


def test_tokens_and_lengths_must_fit(served: Any) -> None:
    tokens = np.array([[1, 2]], np.int64)
    for lengths in ([[3]], [[-1]], [[1], [1]], [[1, 1]]):
        answer = infer(served, tokens=tokens, sequence_lengths=np.array(lengths, np.int64))
        assert "inputs[1]" in served.refused(answer, 422)
    assert "inputs[0].shape" in served.refused(
        infer(served, tokens=np.array([1, 2], np.int64), sequence_lengths=np.array([[1]], np.int64)), 422
    )
    assert "required inputs" in served.refused(infer(served, tokens=tokens), 422)


def test_without_a_tokenizer_tokens_are_refused_with_what_to_do(serve: Any) -> None:
    with serve() as served:
        answer = infer(served, tokens=np.array([[1]], np.int64), sequence_lengths=np.array([[1]], np.int64))
        assert "REWARD_GATEWAY_OIP_TOKENIZER" in served.refused(answer, 422)


def test_a_file_that_is_no_tokenizer_is_said_so_at_the_start(tmp_path: Any) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(OSError, match="OIP_TOKENIZER"):
        OpenInference(None, Settings(oip_tokenizer=path))  # type: ignore[arg-type]
