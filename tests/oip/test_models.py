"""What models say of themselves, alike over HTTP and gRPC: who they are, their tensors, what they have done."""

from typing import Any

import pytest
import tritonclient.grpc as over_grpc
from google.protobuf.json_format import MessageToDict

TENSORS = {
    "inputs": [
        *({"name": name, "datatype": "BYTES", "shape": [-1, 1]} for name in ("prompt", "response")),
        *({"name": name, "datatype": "BYTES", "shape": [-1, -1]} for name in ("reference", "images", "frames")),
        *({"name": name, "datatype": "BYTES", "shape": [-1, 1]} for name in ("steps", "group", "features", "rubric")),
    ],
    "outputs": [
        {"name": "reward", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "valid", "datatype": "BOOL", "shape": [-1, 1]},
    ],
}


def test_the_server_says_who_it_is_and_what_it_speaks(served: Any) -> None:
    said = served.get("/v2").json()
    assert said["name"] == "reward-gateway"
    assert {"model_configuration", "binary_tensor_data", "statistics"} <= set(said["extensions"])
    with over_grpc.InferenceServerClient(served.grpc) as client:
        assert client.get_server_metadata(as_json=True) == said


def test_a_recipe_says_its_tensors(served: Any) -> None:
    said = served.get("/v2/models/mixed").json()
    assert said == {"name": "mixed", "versions": ["1"], "platform": "reward_gateway", **TENSORS}
    assert served.get("/v2/models/mixed/versions/1").json() == said
    with over_grpc.InferenceServerClient(served.grpc) as client:
        typed = client.get_model_metadata("mixed", as_json=True)
    assert [tensor["name"] for tensor in typed["inputs"]] == [tensor["name"] for tensor in said["inputs"]]
    assert typed["outputs"] == [{**tensor, "shape": ["-1", "1"]} for tensor in said["outputs"]]


def test_a_configuration_is_one_of_a_batching_model_with_one_answer_a_request(served: Any) -> None:
    said = served.get("/v2/models/mixed/config").json()
    assert (said["name"], said["max_batch_size"]) == ("mixed", 4096)
    assert said["model_transaction_policy"] == {"decoupled": False}
    assert [(t["name"], t["data_type"], t["dims"], t["optional"]) for t in said["input"]] == [
        ("prompt", "TYPE_STRING", [1], True),
        ("response", "TYPE_STRING", [1], False),
        ("reference", "TYPE_STRING", [-1], True),
        ("images", "TYPE_STRING", [-1], True),
        ("frames", "TYPE_STRING", [-1], True),
        ("steps", "TYPE_STRING", [1], True),
        ("group", "TYPE_STRING", [1], True),
        ("features", "TYPE_STRING", [1], True),
        ("rubric", "TYPE_STRING", [1], True),
    ]
    assert [(t["name"], t["data_type"], t["dims"]) for t in said["output"]] == [
        ("reward", "TYPE_FP32", [1]),
        ("valid", "TYPE_BOOL", [1]),
    ]
    with over_grpc.InferenceServerClient(served.grpc) as client:
        typed = MessageToDict(client.get_model_config("mixed").config, preserving_proto_field_name=True)
    assert (typed["name"], typed["max_batch_size"]) == ("mixed", 4096)
    assert [tensor["name"] for tensor in typed["input"]] == [tensor["name"] for tensor in said["input"]]


def test_models_that_are_not_there_are_said_so(served: Any) -> None:
    for path in ("", "/config", "/ready", "/stats", "/versions/1"):
        assert "no model" in served.refused(served.get(f"/v2/models/nothing{path}"), 404)
    for path in ("/versions/7", "/versions/7/ready", "/versions/x/config"):
        assert "version" in served.refused(served.get(f"/v2/models/plain{path}"), 404)
    with over_grpc.InferenceServerClient(served.grpc) as client:
        assert not client.is_model_ready("nothing")
        with pytest.raises(over_grpc.InferenceServerException, match="NOT_FOUND"):
            client.get_model_metadata("nothing")


def test_a_recipe_is_ready_when_the_models_it_asks_are(serve: Any) -> None:
    with serve() as served, over_grpc.InferenceServerClient(served.grpc) as client:
        for ready, status in ((True, 200), (False, 503)):
            served.models.ready_now = ready
            assert served.get("/v2/models/plain/ready").status_code == status
            assert served.get("/v2/models/reward_model/ready").status_code == status
            assert client.is_model_ready("plain") is ready
            assert client.is_server_ready() is ready
            assert served.get("/v2/models/rule/ready").status_code == 200  # it asks none
            states = {row["name"]: row["state"] for row in served.post("/v2/repository/index", b"").json()}
            assert (states["plain"], states["rule"]) == ("READY" if ready else "UNAVAILABLE", "READY")
        listed = [row["name"] for row in served.post("/v2/repository/index", {"ready": True}).json()]
        assert listed == ["right", "rule"]
        assert client.is_server_live()


def test_the_index_lists_every_recipe_and_nemo_aligners_model(served: Any) -> None:
    rows = served.post("/v2/repository/index", {}).json()
    assert [row["name"] for row in rows] == [
        *("plain", "mixed", "right", "filled", "grouped", "rule", "huge", "large", "routed"),
        "reward_model",
    ]
    assert all(row["version"] == "1" for row in rows)
    with over_grpc.InferenceServerClient(served.grpc) as client:
        assert [row.name for row in client.get_model_repository_index().models] == [row["name"] for row in rows]


def test_statistics_count_requests_samples_and_failures(serve: Any) -> None:
    with serve() as served:
        served.post("/v2/models/plain/infer", served.texts(response=["a", "b", "c"]))
        served.post("/v2/models/plain/infer", served.texts(response=["a"]))
        served.post("/v2/models/plain/infer", served.texts(prompt=["a"]))
        (row,) = served.get("/v2/models/plain/stats").json()["model_stats"]
        assert (row["inference_count"], row["execution_count"]) == (4, 2)
        spent = row["inference_stats"]
        assert (spent["success"]["count"], spent["fail"]["count"]) == (2, 1)
        parts = sum(spent[part]["ns"] for part in ("compute_input", "compute_infer", "compute_output"))
        assert spent["success"]["ns"] == parts > 0
        everybody = served.get("/v2/models/stats").json()["model_stats"]
        assert {row["name"]: row["inference_count"] for row in everybody}["plain"] == 4
        with over_grpc.InferenceServerClient(served.grpc) as client:
            assert client.get_inference_statistics("plain").model_stats[0].inference_count == 4
            assert len(client.get_inference_statistics().model_stats) == len(everybody)
