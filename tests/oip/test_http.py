"""Infer over HTTP: texts in, a reward and whether it is one out; as JSON or as binary, or half and half."""

import gzip
import json
import struct
from typing import Any

import numpy as np
import pytest

PROMPTS, RESPONSES = ["", "p", "a longer prompt"], ["one", "", "three words here"]
URL = "/v2/models/plain/infer"


def frames(texts: list[str]) -> bytes:
    """A BYTES tensor as it travels."""
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def binary(header: dict[str, Any], *tensors: bytes) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(header).encode()
    return text + b"".join(tensors), {"Inference-Header-Content-Length": str(len(text))}


def test_a_recipe_that_compares_samples_answers_the_reward_before_the_comparison_too(served: Any) -> None:
    texts = served.texts(prompt=["p", "p", "lone"], response=["one", "three words here", "x"])
    given = served.outputs(served.post("/v2/models/grouped/infer", texts))
    assert given == {"reward": [-13.0, 13.0, 0.0], "valid": [True, True, False], "reward_raw": [7.0, 33.0, 0.0]}


def test_a_key_of_the_metadata_is_an_input_of_its_own(served: Any) -> None:
    listed = served.get("/v2/models/routed").json()["inputs"]
    assert {"name": "metadata.task", "datatype": "BYTES", "shape": [-1, 1]} in listed
    assert all(port["name"] != "metadata.task" for port in served.get("/v2/models/plain").json()["inputs"])
    asked = served.texts(response=["one two", "one two", "x"], **{"metadata.task": ["length", "words", "poem"]})
    given = served.outputs(served.post("/v2/models/routed/infer", asked))
    assert given == {"reward": [14.0, -2.0, 0.0], "valid": [True, True, False]}


def test_a_prompt_that_the_recipe_reads_may_not_be_missing(served: Any) -> None:
    given = served.outputs(served.post("/v2/models/grouped/infer", served.texts(response=["one", "two"])))
    assert given["valid"] == [False, False]


@pytest.mark.parametrize("recipe", ["plain", "mixed", "rule"])
def test_every_recipe_is_a_model_and_scores_as_the_service_does(served: Any, recipe: str) -> None:
    answer = served.post(f"/v2/models/{recipe}/infer", served.texts(prompt=PROMPTS, response=RESPONSES))
    given = served.outputs(answer)
    assert given["reward"] == pytest.approx(served.native(recipe, PROMPTS, RESPONSES), rel=1e-6)
    assert given["valid"] == [True, True, True]


def test_an_answer_says_what_was_asked(served: Any) -> None:
    asked = {"id": "call-7", **served.texts(prompt=["p"], response=["r"])}
    answer = served.post("/v2/models/plain/versions/1/infer", asked).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("plain", "1", "call-7")
    assert [(o["name"], o["datatype"], o["shape"]) for o in answer["outputs"]] == [
        ("reward", "FP32", [1, 1]),
        ("valid", "BOOL", [1, 1]),
    ]


def test_flags_of_rows_are_a_parameter_of_the_answer(served: Any) -> None:
    flagged = served.post("/v2/models/rule/infer", served.texts(response=["one", "", "two", ""])).json()
    assert flagged["parameters"] == {"flags": "1:empty_response;3:empty_response"}
    assert "parameters" not in served.post("/v2/models/rule/infer", served.texts(response=["one"])).json()


def test_a_failed_row_is_marked_and_its_neighbours_are_scored(served: Any) -> None:
    given = served.outputs(served.post(URL, served.texts(response=["one", "bad", "two"])))
    assert given == {"reward": [6.0, 0.0, 6.0], "valid": [True, False, True]}


def test_the_number_that_an_operator_chose_stands_in_a_failed_row(served: Any) -> None:
    given = served.outputs(served.post("/v2/models/filled/infer", served.texts(response=["one", "bad"])))
    assert given == {"reward": [6.0, -5.0], "valid": [True, False]}


def test_a_reward_that_fp32_cannot_hold_is_no_reward(served: Any) -> None:
    given = served.outputs(served.post("/v2/models/huge/infer", served.texts(response=["one", ""])))
    assert given == {"reward": [0.0, 0.0], "valid": [False, True]}


def test_the_prompt_may_be_left_out_and_the_reference_given(served: Any) -> None:
    assert served.outputs(served.post(URL, served.texts(response=["four"])))["reward"] == [8.0]
    asked = served.texts(prompt=["2+2"] * 2, response=["4", "5"], reference=["4", "4"])
    assert served.outputs(served.post("/v2/models/right/infer", asked))["reward"] == [1.0, 0.0]


def test_reasoning_is_no_answer_and_a_row_of_references_are_several_accepted_ones(served: Any) -> None:
    responses = ["<think>\n5\n</think>\n4", "four", "<think>\n4\n</think>\n5", "<think>\n4"]
    references = {"name": "reference", "datatype": "BYTES", "shape": [4, 2], "data": [["four", "4"]] * 4}
    asked = served.texts(prompt=["2+2"] * 4, response=responses)
    asked["inputs"].append(references)
    assert served.outputs(served.post("/v2/models/right/infer", asked))["reward"] == [1.0, 1.0, 0.0, 0.0]


def test_groups_are_taken_as_named(served: Any) -> None:
    asked = served.texts(prompt=["p", "q"], response=["a", "abc"], group=["g", "g"])
    assert served.outputs(served.post("/v2/models/grouped/infer", asked))["reward"] == [-2.0, 2.0]


def test_no_samples_are_a_request_too(served: Any) -> None:
    assert served.outputs(served.post(URL, served.texts(response=[]))) == {"reward": [], "valid": []}


def test_columns_may_be_flat_and_nested(served: Any) -> None:
    flat = {"name": "response", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    nested = {"name": "response", "shape": [2, 1], "datatype": "BYTES", "data": [["a"], ["b"]]}
    answers = [served.post(URL, {"inputs": [tensor]}).json() for tensor in (flat, nested)]
    assert answers[0] == answers[1]
    assert answers[0]["outputs"][0]["shape"] == [2, 1]


def test_only_the_outputs_that_are_asked_for_come_in_their_order(served: Any) -> None:
    asked = {**served.texts(response=["a"]), "outputs": [{"name": "valid"}, {"name": "reward"}]}
    assert list(served.outputs(served.post(URL, asked))) == ["valid", "reward"]
    assert "outputs[0].name" in served.refused(served.post(URL, {**asked, "outputs": [{"name": "rewards"}]}), 422)


def test_the_recipe_may_be_named_by_a_parameter_or_the_query(served: Any) -> None:
    asked = served.texts(response=["four"])
    by_parameter = served.post("/v2/models/plain/infer", {**asked, "parameters": {"reward": "mixed"}})
    by_query = served.post("/v2/models/plain/infer?reward=mixed", asked)
    assert served.outputs(by_parameter) == served.outputs(by_query)
    assert served.outputs(by_query)["reward"] == pytest.approx(served.native("mixed", [""], ["four"]))
    served.refused(served.post("/v2/models/plain/infer?reward=nothing", asked), 404)


def test_binary_tensors_follow_the_json(served: Any) -> None:
    texts = ["häß", "two", ""]
    raw = frames(texts)
    header = {
        "inputs": [
            {"name": "prompt", "shape": [3, 1], "datatype": "BYTES", "data": ["p", "", "q"]},
            {"name": "response", "shape": [3, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}},
        ],
        "parameters": {"binary_data_output": True},
    }
    body, headers = binary(header, raw)
    answer = served.post(URL, body, headers=headers)
    length = int(answer.headers["inference-header-content-length"])
    said = json.loads(answer.content[:length])
    assert [output["parameters"]["binary_data_size"] for output in said["outputs"]] == [12, 3]
    rewards = np.frombuffer(answer.content[length : length + 12], "<f4")
    assert rewards.tolist() == pytest.approx(served.native("plain", ["p", "", "q"], texts))
    assert answer.content[length + 12 :] == b"\x01\x01\x01"


def test_an_output_says_for_itself_whether_it_is_binary(served: Any) -> None:
    asked = {
        **served.texts(response=["a"]),
        "outputs": [{"name": "reward", "parameters": {"binary_data": True}}, {"name": "valid"}],
    }
    answer = served.post(URL, asked)
    length = int(answer.headers["inference-header-content-length"])
    reward, valid = json.loads(answer.content[:length])["outputs"]
    assert (reward["parameters"], "data" in reward, valid["data"]) == ({"binary_data_size": 4}, False, [True])
    assert np.frombuffer(answer.content[length:], "<f4").tolist() == [2.0]


def test_a_compressed_body_is_opened(served: Any) -> None:
    raw = frames(["a"])
    tensor = {"name": "response", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    body, headers = binary({"inputs": [tensor]}, raw)
    answer = served.post(URL, gzip.compress(body), headers={**headers, "Content-Encoding": "gzip"})
    assert served.outputs(answer)["reward"] == [2.0]


def test_a_row_that_is_not_utf8_is_invalid_alone(served: Any) -> None:
    raw = struct.pack("<I", 2) + b"\xff\xfe" + frames(["ok"])
    tensor = {"name": "response", "shape": [2, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    body, headers = binary({"inputs": [tensor]}, raw)
    assert served.outputs(served.post(URL, body, headers=headers))["valid"] == [False, True]


RESPONSE = {"name": "response", "shape": [1, 1], "datatype": "BYTES", "data": ["a"]}
WRONG = {
    "no inputs": ({}, "inputs"),
    "nothing that a recipe takes": ({"inputs": []}, "response"),
    "an unknown input": ({"inputs": [RESPONSE, {**RESPONSE, "name": "answer"}]}, "inputs[1].name"),
    "an input twice": ({"inputs": [RESPONSE, RESPONSE]}, "inputs[1]"),
    "a prompt without a response": ({"inputs": [{**RESPONSE, "name": "prompt"}]}, "required inputs"),
    "forms mixed": ({"inputs": [RESPONSE, {**RESPONSE, "name": "sentences"}]}, "match no layout"),
    "a datatype that there is not": ({"inputs": [{**RESPONSE, "datatype": "STRING"}]}, "inputs[0].datatype"),
    "a number for a text": ({"inputs": [{**RESPONSE, "data": [1]}]}, "inputs[0].data"),
    "numbers as texts": ({"inputs": [{**RESPONSE, "datatype": "INT64", "data": [1]}]}, "BYTES"),
    "fewer elements than the shape": ({"inputs": [{**RESPONSE, "shape": [2, 1]}]}, "inputs[0].data"),
    "a ragged list": ({"inputs": [{**RESPONSE, "shape": [2, 1], "data": [["a"], "b"]}]}, "inputs[0].data"),
    "a negative length": ({"inputs": [{**RESPONSE, "shape": [-1, 1]}]}, "inputs[0].shape"),
    "a shape of one number too many": ({"inputs": [{**RESPONSE, "shape": [1, 1, 1]}]}, "inputs[0].shape"),
    "two texts a sample": ({"inputs": [{**RESPONSE, "shape": [1, 2], "data": ["a", "b"]}]}, "inputs[0].shape"),
    "columns of two lengths": (
        {"inputs": [RESPONSE, {**RESPONSE, "name": "prompt", "shape": [2, 1], "data": ["a", "b"]}]},
        "inputs[1].shape",
    ),
    "no data": ({"inputs": [{"name": "response", "shape": [1, 1], "datatype": "BYTES"}]}, "inputs[0]"),
    "shared memory": (
        {"inputs": [{**RESPONSE, "parameters": {"shared_memory_region": "x"}}]},
        "shared memory",
    ),
    "a class count": (
        {"inputs": [RESPONSE], "outputs": [{"name": "reward", "parameters": {"classification": 3}}]},
        "classification",
    ),
    "a negative timeout": ({"inputs": [RESPONSE], "parameters": {"timeout": -1}}, "parameters.timeout"),
    "a timeout in words": ({"inputs": [RESPONSE], "parameters": {"timeout": "soon"}}, "parameters.timeout"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_place(served: Any, case: str) -> None:
    body, words = WRONG[case]
    assert words in served.refused(served.post(URL, body), 422)


def test_binary_bodies_must_hold_what_they_say(served: Any) -> None:
    def tensor(size: Any, **more: Any) -> dict[str, Any]:
        base = {"name": "response", "shape": [1, 1], "datatype": "BYTES"}
        return {"inputs": [{**base, "parameters": {"binary_data_size": size}, **more}]}

    raw = frames(["abc"])
    for header, content, words in (
        (tensor(99), raw, "binary_data_size"),
        (tensor(-1), raw, "binary_data_size"),
        (tensor("7"), raw, "binary_data_size"),
        (tensor(7), raw + b"x", "more than its inputs"),
        (tensor(7, data=["a"]), raw, "not both"),
        (tensor(6), raw[:6], "strings"),
        (tensor(14), raw * 2, "strings"),
    ):
        body, headers = binary(header, content)
        assert words in served.refused(served.post(URL, body, headers=headers), 422)
    for length in ("9999", "-1", "x", "0_2", "9" * 5000):
        headers = {"Inference-Header-Content-Length": length}
        assert "Content-Length" in served.refused(served.post(URL, b"{}", headers=headers), 400)


@pytest.mark.parametrize("body", [b"", b"not json", b'{"inputs": [', b"[NaN]", b"\xff"])
def test_what_is_no_json_is_said_so(served: Any, body: bytes) -> None:
    served.refused(served.post(URL, body), 400)


def test_unknown_models_versions_and_methods_have_the_protocols_error(served: Any) -> None:
    asked = served.texts(response=["a"])
    served.refused(served.post("/v2/models/nothing/infer", asked), 404)
    served.refused(served.post("/v2/models/plain/versions/2/infer", asked), 404)
    served.refused(served.get(URL), 405)


def test_limits_hold_as_everywhere(serve: Any) -> None:
    with serve(max_samples=2, max_text_chars=5, max_body_bytes=2000) as served:
        assert served.post(URL, served.texts(response=["12345"] * 2)).status_code == 200
        assert "3 samples" in served.refused(served.post(URL, served.texts(response=["a"] * 3)), 413)
        assert "samples[1].response" in served.refused(served.post(URL, served.texts(response=["a", "123456"])), 413)
        endless = {"inputs": [{"name": "response", "shape": [10**15, 0], "datatype": "BYTES", "data": []}]}
        served.refused(served.post(URL, endless), 413)
        served.refused(served.post(URL, served.texts(response=["a" * 3000])), 413)
        served.refused(served.post(URL, {**served.texts(response=["a"]), "id": "i" * 257}), 413)
        deep = b'{"inputs":[{"name":"response","shape":[1],"datatype":"BYTES","data":' + b"[" * 99 + b"]" * 99 + b"}]}"
        served.refused(served.post(URL, deep), 422)


def test_keys_are_asked_for_and_probes_need_none(serve: Any, tmp_path: Any) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n  - {name: trainer, key: trainer-key, rights: [score]}\n")
    with serve(api_keys_file=keys) as served:
        served.refused(served.post(URL, served.texts(response=["a"])), 401)
        served.refused(served.get("/v2"), 401)
        assert served.get("/v2/health/live").status_code == served.get("/v2/health/ready").status_code == 200
        headers = {"Authorization": "Bearer trainer-key"}
        assert served.post(URL, served.texts(response=["a"]), headers=headers).status_code == 200


def test_a_timeout_that_passed_is_504_and_a_server_that_is_away_503(serve: Any) -> None:
    with serve() as served:
        served.models.slow_s = 1.0
        asked = {**served.texts(response=["a"]), "parameters": {"timeout": 50_000}}
        served.refused(served.post(URL, asked), 504)
        served.models.slow_s, served.models.away_for_all = 0.0, True
        answer = served.post(URL, served.texts(response=["a"]))
        served.refused(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        served.traffic.drain.begin()
        assert "shutting down" in served.refused(served.post(URL, served.texts(response=["a"])), 503)
