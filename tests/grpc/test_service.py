"""Apply, ListRewards and Catalog: the same rows as over HTTP."""

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from reward_gateway.grpc.values import list_value, plain_object, struct
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.scoring.single_operations import SingleOperations
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio


def application(kind: str, name: str, items: list[Any], /, **params: Any) -> pb.ApplyRequest:
    return pb.ApplyRequest(kind=kind, name=name, items=list_value(items), params=struct(params))


async def test_apply_answers_items_in_order_and_keeps_whole_numbers_whole(served: Any) -> None:
    items = [{"response": "one two three"}, {"response": "one"}, {}]
    answer = await served.stub.Apply(application("score", "length_penalty", items, free_words=2, per_word=0.25))
    expected = await served.gateway.operations.apply_items(
        "score", "length_penalty", items, {"free_words": 2, "per_word": 0.25}
    )

    assert [r.reward if r.HasField("reward") else None for r in answer.results] == [r["reward"] for r in expected]
    assert [r.error.code or None for r in answer.results] == [r["error"] and r["error"]["code"] for r in expected]
    assert [plain_object(r.details, "details") for r in answer.results] == [r["details"] for r in expected]
    assert answer.results[0].reward == -0.25
    assert answer.results[2].error.code == "missing_field"


async def test_a_coefficient_is_the_runs_and_a_repeat_counts_once_as_over_http(serve: Any) -> None:
    price = application("combine", "lagrangian", [{"reward": 2.0, "cost": 0.5}], name="grpc")
    stray = application(
        "credit", "kl_penalty", [{"logp": [-0.6], "ref_logp": [-1.0], "reward": 1.0}], name="kl", target=0.1, horizon=10
    )
    metadata = (("x-run", "a"), ("idempotency-key", "once"))
    async with serve(state=StateStore.in_process()) as served:
        for _ in range(2):
            (priced,) = (await served.stub.Apply(price, metadata=metadata)).results
            assert (priced.reward, plain_object(priced.details, "details")) == (1.5, {"multiplier": 1})
            (charged,) = (await served.stub.Apply(stray, metadata=metadata)).results
            assert plain_object(charged.details, "details")["beta"] == 0.2
        (again,) = (await served.stub.Apply(price, metadata=(("x-run", "a"),))).results
        (elsewhere,) = (await served.stub.Apply(price, metadata=(("x-run", "b"),))).results
        assert (again.reward, elsewhere.reward) == (1.475, 1.5)


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        (application("score", "nothing", []), "NOT_FOUND", None),
        (application("no_kind", "length_penalty", []), "NOT_FOUND", None),
        (application("score", "length_penalty", [{"response": 3}]), "INVALID_ARGUMENT", "items[0].response"),
        (application("score", "length_penalty", [], free_words="two"), "INVALID_ARGUMENT", "params.free_words"),
        (application("score", "length_penalty", [{"response": float("nan")}]), "INVALID_ARGUMENT", "items[0].response"),
    ],
)
async def test_apply_refuses_as_http_does(served: Any, asked: pb.ApplyRequest, status: str, param: str | None) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.Apply(asked)

    assert caught.value.code().name == status
    error: Any = caught.value
    said = dict(error.trailing_metadata() or ())
    assert said.get("error-param") == param


async def test_the_items_of_a_long_message_are_not_decoded_on_the_event_loop(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, bool]] = []

    async def answer_request(
        _: SingleOperations, kind: str, name: str, *__: Any, may_take_long: bool, **___: Any
    ) -> bytes:
        asked.append((kind, name, may_take_long))
        return b""

    monkeypatch.setattr(SingleOperations, "answer_request", answer_request)
    message = application("score", "length_penalty", [{"response": "word " * 4000}]).SerializeToString()
    broken = message.replace(b"response", b"\xff" * 8)  # no text: whoever decodes it notices
    await served.channel.unary_unary("/reward_gateway.v1.RewardService/Apply")(broken)
    assert asked == [("score", "length_penalty", True)]


async def test_bytes_that_are_no_request_are_refused_by_the_name_of_what_they_should_be(served: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.channel.unary_unary("/reward_gateway.v1.RewardService/Apply")(b"\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "reward_gateway.v1.ApplyRequest" in str(caught.value.details())


async def test_list_rewards_says_what_http_says(served: Any) -> None:
    answer = await served.stub.ListRewards(pb.ListRewardsRequest())
    listing = served.gateway.list_rewards()

    assert answer.default == listing["default"]
    for message, row in zip(answer.rewards, listing["rewards"], strict=True):
        said = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        bounds = said.pop("range", None)
        assert {**said, "range": bounds and [bounds["low"], bounds["high"]]} == row


async def test_the_catalog_says_what_http_says(served: Any) -> None:
    answer = await served.stub.Catalog(pb.CatalogRequest())
    rows = served.gateway.operations.list_entries()

    assert len(answer.operations) == len(rows) > 0
    for message, row in zip(answer.operations, rows, strict=True):
        schemas = {name: plain_object(getattr(message, name), name) for name in ("params_schema", "item_schema")}
        plain = {name: getattr(message, name) for name in row if name not in ("params_schema", "item_schema", "source")}
        assert {**plain, **schemas, "source": {"title": message.source.title, "url": message.source.url}} == row


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("combine", "tournament"),
        ("score", "majority_vote"),
        ("score", "self_certainty"),
        ("score", "negative_entropy"),
    ],
)
async def test_lists_of_objects_and_of_lists_come_as_over_http(served: Any, kind: str, name: str) -> None:
    for example in examples_of(kind, name):
        answer = await served.stub.Apply(application(kind, name, example.items, **example.params))
        results = [
            {
                **({"reward": row.reward} if row.HasField("reward") else {"rewards": list(row.rewards)}),
                "details": plain_object(row.details, "details"),
            }
            for row in answer.results
        ]
        assert not example.differences(results)
