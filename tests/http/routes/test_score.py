"""``POST /v1/score``, pin by pin."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.clock import Clock, until
from tests.http.conftest import CONDITIONAL

pytestmark = pytest.mark.anyio

RESULT_KEYS = {"id", "reward", "rewards", "valid", "components", "flags", "error"}


@pytest.fixture
async def conditional(serve: Any) -> AsyncIterator[Any]:
    async with serve(recipes=CONDITIONAL) as served:
        yield served


def samples(*responses: str | None) -> dict[str, Any]:
    return {"samples": [{"prompt": "p", **({} if text is None else {"response": text})} for text in responses]}


async def test_results_stand_in_the_order_of_the_samples(served: Any) -> None:
    answer = await served.score(samples("a", "abc", "ab"))
    assert answer.status_code == 200
    body = answer.json()
    assert [result["reward"] for result in body["results"]] == [1.0, 3.0, 2.0]
    assert [result["id"] for result in body["results"]] == ["0", "1", "2"]
    assert all(set(result) == RESULT_KEYS for result in body["results"])
    assert set(body) == {"reward", "recipe_version", "results", "usage", "timing_ms"}
    assert body["reward"] == "plain"
    assert set(body["usage"]) == {"samples", "cache_hits", "cache_misses", "model_calls", "skipped"}
    assert set(body["timing_ms"]) == {"total", "decode", "cache", "inference", "combine"}
    assert body["timing_ms"]["total"] >= body["timing_ms"]["decode"] > 0


async def test_a_components_keys_are_those_of_the_contract_for_models_and_rules(served: Any) -> None:
    body = (await served.score({**samples("a b c d"), "reward": "mixed"})).json()
    components = body["results"][0]["components"]
    assert list(components) == ["quality", "brevity"]
    assert components["quality"] == {
        "raw": 7.0,
        "value": 4.5,
        "model": "letters",
        "model_version": "1",
        "cached": False,
        "skipped": None,
    }
    of_a_rule = {"raw": -0.5, "value": -0.5, "model": None, "model_version": None, "cached": False, "skipped": None}
    assert components["brevity"] == of_a_rule


@pytest.mark.parametrize("texts", [["one"], ["one two"], ["one", "one two"]])
async def test_a_recipe_whose_judge_is_not_configured_is_refused_for_every_sample_alike(
    conditional: Any, texts: list[str]
) -> None:
    error = conditional.refused(await conditional.score({**samples(*texts), "reward": "judged"}), 409)
    assert error["code"] == "not_set_up"
    assert "there is no judge 'none'; REWARD_GATEWAY_JUDGES_FILE names them" in error["message"]
    page = (await conditional.client.get("/readyz")).json()
    assert page["not_ready"] == {"judged": "there is no judge 'none'; REWARD_GATEWAY_JUDGES_FILE names them"}


async def test_metadata_choose_the_scorer_of_a_sample_and_only_where_the_recipe_says_so(conditional: Any) -> None:
    tasks: list[Any] = [{"task": "letters"}, {"task": "words", "x": [1]}, {"task": "poem"}, {}, None]
    body = {"reward": "routed", "samples": [{"response": "a bc", "metadata": task} for task in tasks]}
    results = (await conditional.score(body)).json()["results"]
    assert [result["reward"] for result in results] == [4.0, -2.0, None, None, None]
    assert [result["components"]["task"]["model"] for result in results[:2]] == ["letters", None]
    assert {(result["error"]["code"], result["error"]["param"]) for result in results[2:]} == {
        ("missing_field", "metadata.task")
    }
    plain = (await conditional.score({**body, "reward": "plain"})).json()["results"]
    assert [result["reward"] for result in plain] == [4.0] * 5


async def test_a_skipped_component_says_what_decided(conditional: Any) -> None:
    body = (await conditional.score({**samples("abc", "a bc"), "reward": "staged"})).json()
    asked, skipped = (result["components"]["quality"] for result in body["results"])
    assert (asked["raw"], asked["model"], asked["skipped"]) == (3.0, "letters", None)
    assert skipped == {
        "raw": None,
        "value": 0.5,
        "model": None,
        "model_version": None,
        "cached": False,
        "skipped": "first",
    }
    assert body["usage"]["skipped"] == 1
    assert [result["reward"] for result in body["results"]] == [2.0, -1.5]


async def test_explain_false_gives_no_components(served: Any) -> None:
    body = (await served.score({**samples("a"), "options": {"explain": False}})).json()
    assert body["results"][0]["components"] == {}


async def test_no_samples_is_a_request_without_results(served: Any) -> None:
    answer = await served.score({"samples": []})
    assert answer.status_code == 200
    assert answer.json()["results"] == []


async def test_ids_are_strings_numbered_where_missing_and_may_repeat(served: Any) -> None:
    body = {
        "samples": [
            {"id": "x", "response": "a"},
            {"response": "b"},
            {"id": "x", "response": "c"},
            {"id": "", "response": "d"},
        ]
    }
    assert [result["id"] for result in (await served.score(body)).json()["results"]] == ["x", "1", "x", ""]
    served.refused(await served.score({"samples": [{"id": 7, "response": "a"}]}), 422, "samples[0].id")


async def test_an_empty_response_is_scored_and_flagged_where_the_recipe_guards(served: Any) -> None:
    result = (await served.score({**samples(""), "reward": "mixed"})).json()["results"][0]
    assert result["valid"] is True
    assert result["reward"] == 1.0
    assert result["flags"] == ["empty_response"]


async def test_a_missing_response_is_an_error_of_its_sample_alone(served: Any) -> None:
    answer = await served.score(samples("a", None, "ab"))
    assert answer.status_code == 200
    good, bad, other = answer.json()["results"]
    assert (good["reward"], other["reward"]) == (1.0, 2.0)
    assert (bad["reward"], bad["valid"]) == (None, False)
    assert set(bad["error"]) == {"code", "message", "component", "param"}
    assert bad["error"]["param"] == "response"
    assert bad["error"]["code"] == "missing_field"
    assert set(bad["components"]) == set(good["components"])


async def test_when_every_sample_is_unscorable_it_is_still_an_answer(served: Any) -> None:
    answer = await served.score(samples(None, None))
    assert answer.status_code == 200
    assert [result["valid"] for result in answer.json()["results"]] == [False, False]


# Which recipe answers


async def test_the_recipe_named_in_the_body_goes_before_the_query_before_the_model_before_the_default(
    served: Any,
) -> None:
    async def answered(query: str, **names: str) -> Any:
        return (await served.score({**samples("a"), **names}, params={"reward": query} if query else None)).json()[
            "reward"
        ]

    assert await answered("looks", reward="mixed", model="strict") == "mixed"
    assert await answered("looks", model="strict") == "looks"
    assert await answered("", model="strict") == "strict"
    assert await answered("", model="model") == "plain"  # a client's constant
    assert await answered("") == "plain"


async def test_an_unknown_recipe_is_not_found(served: Any) -> None:
    for answer in (
        await served.score({**samples("a"), "reward": "nobody"}),
        await served.score(samples("a"), params={"reward": "nobody"}),
    ):
        assert served.refused(answer, 404, "reward")["code"] == "not_found"


async def test_a_model_that_names_no_recipe_is_not_found(served: Any) -> None:
    answer = await served.score({**samples("a"), "model": "gpt-4"})
    assert served.refused(answer, 404, "model")["code"] == "not_found"


# Options


async def test_on_invalid_default_puts_the_number_and_still_says_invalid(served: Any) -> None:
    options = {"on_invalid": "default", "default_reward": -2.5}
    good, bad = (await served.score({**samples("a", None), "options": options})).json()["results"]
    assert (good["reward"], good["valid"]) == (1.0, True)
    assert (bad["reward"], bad["valid"], bad["error"]["code"]) == (-2.5, False, "missing_field")


async def test_on_invalid_default_needs_the_number(served: Any) -> None:
    served.refused(
        await served.score({**samples("a"), "options": {"on_invalid": "default"}}), 422, "options.default_reward"
    )


async def test_on_invalid_fail_names_the_first_unscorable_sample(served: Any) -> None:
    error = served.refused(
        await served.score({**samples("a", None), "options": {"on_invalid": "fail"}}), 422, "samples[1].response"
    )
    assert error["code"] == "unscorable_sample"


async def test_a_recipe_may_ask_for_failure_and_the_request_may_not_want_it(served: Any) -> None:
    served.refused(await served.score({**samples(None), "reward": "strict"}), 422, "samples[0].response")
    assert (
        await served.score({**samples(None), "reward": "strict", "options": {"on_invalid": "null"}})
    ).status_code == 200


async def test_on_invalid_fail_is_a_503_where_the_cause_was_the_servers(served: Any) -> None:
    served.models.away = True
    answer = await served.score({**samples("a"), "options": {"on_invalid": "fail"}})
    assert served.refused(answer, 503, "samples[0]")["code"] == "model_unavailable"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"on_invalid": "zero"}, "options.on_invalid"),
        ({"cache": "maybe"}, "options.cache"),
        ({"explain": 1}, "options.explain"),
        ({"deadline_ms": "1"}, "options.deadline_ms"),
        ({"deadline_ms": 0}, "options.deadline_ms"),
        ({"deadline_ms": -5}, "options.deadline_ms"),
        ({"deadline_ms": True}, "options.deadline_ms"),
        ({"default_reward": "0"}, "options.default_reward"),
        ({"colour": 1}, "options.colour"),
        (["null"], "options"),
    ],
)
async def test_an_option_that_is_none_is_refused_by_its_path(served: Any, options: Any, param: str) -> None:
    served.refused(await served.score({**samples("a"), "options": options}), 422, param)


# Deadlines


@pytest.mark.parametrize(
    ("body_ms", "header_ms"), [(300_000, None), (None, "300000"), (300_000, "600000"), (600_000, "300000")]
)
async def test_the_smaller_deadline_holds_and_nothing_scored_in_time_is_a_504(
    served: Any, clock: Clock, body_ms: int | None, header_ms: str | None
) -> None:
    served.models.gate.shut()
    body = {**samples("a"), **({"options": {"deadline_ms": body_ms}} if body_ms else {})}
    headers = {"X-Request-Deadline-Ms": header_ms} if header_ms else None
    asking = asyncio.create_task(served.score(body, headers=headers))
    await until(lambda: served.models.running)
    await clock.advance(301)
    assert served.refused(await asking, 504, "samples[0]")["code"] == "deadline_exceeded"


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", "1_000"])
async def test_a_deadline_header_that_is_none_is_refused(served: Any, value: str) -> None:
    served.refused(
        await served.score(samples("a"), headers={"X-Request-Deadline-Ms": value}), 422, "x-request-deadline-ms"
    )


# Failures of the server


async def test_a_model_server_that_is_away_fails_the_request_where_nothing_could_be_scored(served: Any) -> None:
    served.models.away = True
    answer = await served.score(samples("a"))
    assert served.refused(answer, 503, "samples[0]")["code"] == "model_unavailable"
    assert int(answer.headers["retry-after"]) >= 1


async def test_the_numbers_on_the_wire_are_finite(served: Any) -> None:
    served.models.away = True
    text = (await served.score({**samples("a", None), "reward": "mixed"})).text

    def no_constant(name: str) -> float:
        raise AssertionError(f"{name} on the wire")

    for result in json.loads(text, parse_constant=no_constant)["results"]:
        assert result["reward"] is None or math.isfinite(result["reward"])
