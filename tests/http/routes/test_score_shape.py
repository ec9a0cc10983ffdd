"""What is no JSON, what is JSON of another shape, what is nested too deep; and the path of the fault."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


def samples(*responses: str | None) -> dict[str, Any]:
    return {"samples": [{"prompt": "p", **({} if text is None else {"response": text})} for text in responses]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"samples": [{"response": "a"}]',
        b'{"samples": [{"response": "a"}]} x',
        b'{"samples": [{"features": {"a": NaN}, "response": ""}]}',
        b'{"samples": [{"features": {"a": Infinity}, "response": ""}]}',
        b'{"samples": [{"metadata": {"a": -Infinity}, "response": ""}]}',
        b'{"samples": [{"response": "\xff"}]}',
        b'{"samples": [{"metadata": {"a": "\xff"}, "response": ""}]}',
        b'{"samples": [{"fo\xffo": 1}]}',
        b'{"samples": [{"response": 1}]',
        b'{"samples": 1} \xff',
        b"\xef\xbb\xbf{}",
        b"{'samples': []}",
        b'{"samples": [],}',
    ],
)
async def test_a_body_that_is_no_json_is_a_400(served: Any, body: bytes) -> None:
    assert served.refused(await served.score(body), 400)["code"] == "malformed_body"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "samples"),
        ([], None),
        (1, None),
        (None, None),
        ({"samples": None}, "samples"),
        ({"samples": {}}, "samples"),
        ({"samples": [1]}, "samples[0]"),
        ({"samples": [{"response": "a"}, {"response": 5}]}, "samples[1].response"),
        ({"samples": [{"response": ["a"]}]}, "samples[0].response[0]"),
        ({"samples": [{"prompt": True, "response": "a"}]}, "samples[0].prompt"),
        ({"samples": [{"prompt": [{"content": "x"}]}]}, "samples[0].prompt[0].role"),
        (
            {"samples": [{"prompt": [{"role": "user", "content": [{"type": "smell", "text": "x"}]}]}]},
            "samples[0].prompt[0].content[0].type",
        ),
        ({"samples": [{"images": "aaaa"}]}, "samples[0].images"),
        ({"samples": [{}, {}, {}, {"images": [7]}]}, "samples[3].images[0]"),
        ({"samples": [{"images": [{}]}]}, "samples[0].images[0]"),
        ({"samples": [{"images": [{"b64": "a", "url": "b"}]}]}, "samples[0].images[0]"),
        ({"samples": [{"images": [{"base64": "a"}]}]}, "samples[0].images[0].base64"),
        ({"samples": [{"frames": [None]}]}, "samples[0].frames[0]"),
        ({"samples": [{"steps": ["x"]}]}, "samples[0].steps[0]"),
        ({"samples": [{"steps": [{}]}]}, "samples[0].steps[0].text"),
        ({"samples": [{"steps": [{"text": "a", "score": 1}, {"text": "b"}]}]}, "samples[0].steps[1].score"),
        ({"samples": [{"features": []}]}, "samples[0].features"),
        ({"samples": [{"features": {"ok": 1, "bad": "x"}}]}, "samples[0].features.bad"),
        ({"samples": [{"features": {"ok": [1], "bad": [1, True]}}]}, "samples[0].features.bad[1]"),
        ({"samples": [{"features": {"flag": True}}]}, "samples[0].features.flag"),
        ({"samples": [{}, {}, {}, {"rubric": [{"text": "a", "weight": "x"}]}]}, "samples[3].rubric[0].weight"),
        ({"samples": [{"rubric": [{"text": "a"}, {"weight": 1}]}]}, "samples[0].rubric[1].text"),
        ({"samples": [{"group": 3}]}, "samples[0].group"),
        ({"samples": [{"metadata": 3}]}, "samples[0].metadata"),
        ({"samples": [{"respones": "typo"}]}, "samples[0].respones"),
        ({"sample": []}, "sample"),
        ({"samples": [], "option": {}}, "option"),
        ({"samples": [], "reward": 1}, "reward"),
        ({"samples": [], "model": 1}, "model"),
    ],
)
async def test_json_of_another_shape_is_a_422_with_the_path(served: Any, body: Any, param: str | None) -> None:
    assert served.refused(await served.score(body), 422, param)["code"] == "invalid_request"


async def test_a_number_that_overflows_is_refused_and_named(served: Any) -> None:
    answer = await served.score(b'{"samples": [{"response": "", "features": {"a": 1e999}}]}')
    assert served.refused(answer, 422, "samples[0].features")["code"] == "invalid_request"


async def test_unknown_keys_are_free_in_metadata_and_features(served: Any) -> None:
    sample = {
        "response": "a",
        "metadata": {"any": [1, {"thing": None}]},
        "features": {"any_name": 1.5, "vector": [1, 2]},
    }
    assert (await served.score({"samples": [sample]})).status_code == 200
    assert served.models.seen[0].features == [{"any_name": 1.5, "vector": [1.0, 2.0]}]


async def test_a_refusal_never_repeats_the_payload(served: Any) -> None:
    canary = "CANARY-7731"
    bodies: list[Any] = [
        {"samples": [{"response": 5, "prompt": canary}]},
        {"samples": [{canary + " with spaces": 1}]},
        {"samples": [], "options": {"on_invalid": canary}},
        {"samples": [{"prompt": [{"role": "user", "content": [{"type": canary}]}]}]},
        {"samples": [], "reward": canary},
        {"samples": [{"images": [canary], "response": ""}], "options": {"on_invalid": "fail"}},
        {"samples": [{"features": {canary + " ": "x"}}]},
    ]
    for body in bodies:
        answer = await served.score(body)
        assert answer.status_code >= 400
        assert canary not in answer.text
    assert canary not in (await served.score(f'{{"samples": [{canary}'.encode())).text


# Nesting


def nested(levels: int, where: str) -> bytes:
    """A request that is ``levels`` deep, counting its own braces."""
    if where == "metadata":
        inner = "[" * (levels - 4) + "]" * (levels - 4)
        return f'{{"samples": [{{"response": "[[[[", "metadata": {{"a": {inner}}}}}]}}'.encode()
    inner = "[" * (levels - 6) + "]" * (levels - 6)
    calls = f"[{inner}]" if levels > 6 else "[]"
    return f'{{"samples": [{{"prompt": [{{"role": "user", "tool_calls": {calls}}}], "response": ""}}]}}'.encode()


@pytest.mark.parametrize("where", ["metadata", "tool_calls"])
async def test_64_levels_pass_and_65_do_not(served: Any, where: str) -> None:
    assert (await served.score(nested(64, where))).status_code == 200
    path = "samples[0].metadata" if where == "metadata" else "samples[0].prompt[0].tool_calls"
    assert "nested" in served.refused(await served.score(nested(65, where)), 422, path)["message"]


@pytest.mark.parametrize("levels", [1_000, 200_000])
async def test_a_tower_of_brackets_is_refused_and_harms_nobody(served: Any, levels: int) -> None:
    for body in (nested(levels, "metadata"), b"[" * levels + b"]" * levels, b'{"samples":' * levels):
        answer = await served.score(body)
        assert answer.status_code in (400, 422)
    assert (await served.score(samples("a"))).status_code == 200
