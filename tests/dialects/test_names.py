"""A name is that of a recipe, an alias or a served model, in this order; any other ``model`` is refused."""

import base64
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from .conftest import KNOWN, value
from .test_judge import pictures
from .test_recipe_in_the_path import CALLS, asked, tensors

__all__ = ["asked"]

pytestmark = pytest.mark.anyio

ALIASES = """
model_aliases: {gpt-4o: share, org/Model-8B: ratio, pictures: begins, calm: "traits:calm"}
"""
ANY = ALIASES.replace("}", ', "*": begins}')


@pytest.fixture
async def aliased(speak: Any) -> AsyncIterator[Any]:
    async with speak(more=ALIASES) as found:
        yield found


def rm(**fields: Any) -> dict[str, Any]:
    return {"prompt": "p", "response": "ropes", "label": "ropes", **fields}


@pytest.mark.parametrize(
    ("name", "reward"),
    [
        ("ratio", "ratio"),
        ("gpt-4o", "share"),
        ("org/Model-8B", "ratio"),
        ("texts", "texts"),
        ("pictures", "begins"),  # also a model: the alias goes first
        ("traits:kind of", "traits:kind of"),
        ("calm", "traits:calm"),
    ],
)
async def test_recipe_alias_and_served_model_wherever_a_name_may_stand(
    aliased: Any, asked: list[str], name: str, reward: str
) -> None:
    path = name.replace("/", "%2F").replace(" ", "%20")
    await aliased.ok("/rm", rm(model=name))
    await aliased.ok("/rm", rm(reward=name))
    await aliased.ok("/rm", rm(), params={"reward": name})
    await aliased.ok(f"/r/{path}/rm", rm())
    native = {"samples": [{"prompt": "p", "response": "ropes", "reference": "ropes"}]}
    for body in ({**native, "reward": name}, {**native, "model": name}):
        assert (await aliased.ok("/v1/score", body))["reward"] == reward
    assert (await aliased.client.get(f"/v1/rewards/{path}")).status_code in ((200, 404) if "/" in name else (200,))
    assert (await aliased.client.get(f"/r/{path}/health")).status_code == 200
    assert (await aliased.client.get("/readyz", params={"reward": name})).status_code == 200
    assert asked == [reward] * 6


async def test_a_served_model_gives_its_raw_score(aliased: Any) -> None:
    wanted = await aliased.native("p", "ropes", "org/Model-8B")
    assert await aliased.native("p", "ropes", "texts") == pytest.approx(value("p", "ropes"))
    assert wanted == pytest.approx(value("p", "ropes"))
    assert await aliased.ok("/r/texts/rm", rm()) == pytest.approx(value("p", "ropes"))
    assert await aliased.native("a prompt", "ropes", "traits:calm") == -8.0


async def test_implicit_names_are_in_no_list_of_recipes(aliased: Any) -> None:
    listed = (await aliased.client.get("/v1/rewards")).json()
    names = {row["name"] for row in listed["rewards"]}
    assert not names & {"texts", "pictures", "traits", "gpt-4o"}
    assert {row["id"] for row in (await aliased.client.get("/v1/models")).json()["data"]} == names


async def takes_model(http: Any, path: str) -> bool:
    """Whether the page says that a body of a path has a ``model``."""
    page = (await http.client.get("/openapi.json")).json()
    content = page["paths"][path]["post"]["requestBody"]["content"].get("application/json", {})
    schema = content.get("schema", {})
    named = page["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    return "model" in named.get("properties", {})


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[path for _, path, _ in CALLS])
async def test_an_unknown_model_is_refused_in_the_form_of_every_dialect(
    http: Any, asked: list[str], method: str, path: str, body: dict[str, Any]
) -> None:
    if not await takes_model(http, path):
        return
    sent = {**body, "json": {**body["json"], "model": "nobody"}}
    unknown = await http.client.request(method, path, **sent)
    assert (unknown.status_code, asked) == (404, []), unknown.text
    keys = {frozenset(form) for form in ({"error"}, {"error", "error_type"}, {"message"}, {"message", "error"})}
    assert frozenset(unknown.json()) in keys
    assert "nobody" not in unknown.text


async def test_some_dialects_take_a_model(http: Any) -> None:
    assert sum([await takes_model(http, path) for _, path, _ in CALLS]) > 20


async def test_model_is_not_looked_up_where_a_recipe_is_named(http: Any, asked: list[str]) -> None:
    await http.ok("/rm?reward=share", rm(model="nobody"))
    await http.ok("/r/share/rm", rm(model="nobody"))
    await http.ok("/rm", rm(reward="share", model="nobody"))
    await http.ok("/v1/score", {"reward": "share", "model": "nobody", "samples": []})
    assert asked == ["share"] * 4
    answer = await http.post("/v1/score", {"model": "nobody", "samples": []})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "model")


@pytest.mark.parametrize("constant", ["model", "reward_model", ""])
async def test_a_clients_constant_is_not_given(http: Any, speak: Any, asked: list[str], constant: str) -> None:
    await http.ok("/v1/score/evaluation", {"model": constant, "messages": ["text"]})
    await http.ok("/v1/score", {"model": constant, "samples": []})
    assert asked == ["ratio"] * 2
    async with speak(more=ANY) as everything:
        await everything.ok("/rm", rm(model=constant))
    async with speak(more='model_aliases: {"model": share, reward_model: share}') as named:
        await named.ok("/rm", rm(model=constant))
    assert asked[2:] == ["ratio", "share" if constant else "ratio"]


async def test_a_star_is_every_model_that_nothing_else_has_as_its_name(speak: Any, asked: list[str]) -> None:
    async with speak(more=ANY) as http:
        for model in ("anything", "gpt-4o", "ratio", "texts", "*"):
            await http.ok("/rm", rm(model=model))
        assert asked == ["begins", "share", "ratio", "texts", "begins"]
        for path in ("/rm?reward=anything", "/r/anything/rm", "/r/*/rm"):
            assert (await http.post(path, rm())).status_code == 404, path
        assert (await http.client.get("/r/anything/health")).status_code == 404


async def test_a_judge_goes_after_names_and_before_the_star(speak: Any, asked: list[str]) -> None:
    from .test_judge import Sage

    chat = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}
    async with speak(more=ANY) as http:
        http.gateway.runtime.judges = Sage()
        found = await http.ok("/v1/chat/completions", {**chat, "model": "sage"})
        assert found["choices"][0]["message"]["content"].startswith("sage heard")
        await http.ok("/v1/chat/completions", {**chat, "model": "ratio"})  # also the name of a judge
        await http.ok("/r/chat/v1/chat/completions", {**chat, "model": "sage"})
        await http.ok("/v1/chat/completions?reward=chat", {**chat, "model": "sage"})
        await http.ok("/v1/chat/completions", {**chat, "model": "gpt-9"})
    assert asked == ["ratio", "chat", "chat", "begins"]


# A model of several numbers

TRAITS = [5.0, -1.0, 0.5]
LABELS = ["long", "calm", "kind of"]


async def test_classify_answers_all_numbers_with_their_names(http: Any, unit: Any) -> None:
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "ropes"}]
    body = {"model": "traits", "messages": turns}
    (row,) = (await http.ok("/classify", {**body, "use_activation": False}))["data"]
    assert row == {"index": 0, "label": "long", "probs": TRAITS, "num_classes": 3, "labels": LABELS}
    (row,) = (await http.ok("/v1/classify", body))["data"]
    assert row["probs"] == pytest.approx([unit(x) for x in TRAITS])
    (row,) = (await http.ok("/r/traits/pooling", {"messages": turns}))["data"]
    assert (row["data"], row["labels"]) == (TRAITS, LABELS)
    (row,) = (await http.ok("/pooling", {**body, "encoding_format": "base64"}))["data"]
    assert struct.unpack("<3f", base64.b64decode(row["data"])) == tuple(TRAITS)


async def test_numbers_that_a_card_puts_in_0_to_1_stay_as_they_are(http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier converted through softmax gives probabilities: their sigmoid would be another thing."""
    monkeypatch.setitem(KNOWN, "traits", replace(KNOWN["traits"], range=(0.0, 1.0)))
    body = {
        "model": "traits",
        "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "ropes"}],
    }
    (row,) = (await http.ok("/classify", body))["data"]
    assert row["probs"] == TRAITS
    (labels,) = await http.ok("/r/traits/predict", {"inputs": [["p", "ropes"]]})
    assert labels[0] == {"score": 5.0, "label": "long"}


async def test_the_pictures_of_a_chat_are_the_frames_of_a_model_that_reads_those(http: Any) -> None:
    question = {"role": "user", "content": pictures(2, "Open it.")}
    for turns in ([question], [question, {"role": "assistant", "content": ""}]):
        (row,) = (await http.ok("/classify", {"model": "film", "messages": turns, "use_activation": False}))["data"]
        assert row["probs"] == [2.0]


async def test_predict_and_sglang_answer_all_numbers_with_their_names(http: Any) -> None:
    rows = await http.ok("/r/traits/predict", {"inputs": [["p", "ropes"]], "raw_scores": True})
    assert rows == [
        [{"score": 5.0, "label": "long"}, {"score": 0.5, "label": "kind of"}, {"score": -1.0, "label": "calm"}]
    ]
    found = await http.ok("/sglang/classify?reward=traits", {"text": "ropes"})
    assert (found["embedding"], found["meta_info"]["labels"]) == ([5.0, 0.0, 0.5], LABELS)
    info = (await http.client.get("/r/traits/info")).json()["model_type"]["classifier"]
    assert info["id2label"] == {"0": "long", "1": "calm", "2": "kind of"}


async def test_one_of_several_numbers_is_picked_by_its_name(http: Any) -> None:
    (row,) = (await http.ok("/classify", {"model": "traits:calm", "input": "x", "use_activation": False}))["data"]
    assert (row["probs"], row["num_classes"], row["label"]) == ([0.0], 1, "LABEL_0")
    assert await http.native("p", "ropes", "traits:long") == 5.0
    for name in ("traits:nothing", "traits:", ":calm", "texts:calm", "nobody:calm", "ratio:ratio"):
        assert (await http.post("/rm", rm(reward=name))).status_code == 404, name


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rm", rm()),
        ("/v1/score", {"samples": [{"prompt": "p", "response": "r"}]}),
        ("/get_reward", {"query": ["pr"], "prompts": ["p"]}),
        ("/v1/embeddings", {"input": "r"}),
        ("/v1/rerank", {"query": "p", "documents": ["r"]}),
        ("/v2/models/reward_model/infer", tensors()),
    ],
)
async def test_an_entry_that_needs_one_number_refuses(http: Any, path: str, body: dict[str, Any]) -> None:
    answer = await http.post(f"/r/traits{path}", body)
    assert answer.status_code == 422
    assert "traits:long" in answer.text


async def test_a_row_without_all_of_its_numbers_is_a_failure(http: Any) -> None:
    http.models.away = True
    answer = await http.post("/r/traits/classify", {"input": "r"})
    assert answer.status_code == 503


# Open Inference Protocol


async def test_an_alias_and_one_number_are_models_of_the_protocol(aliased: Any, asked: list[str]) -> None:
    for name in ("gpt-4o", "traits:calm", "calm"):
        answer = await aliased.ok(f"/v2/models/{name}/infer", tensors())
        assert answer["model_name"] == name
        assert (await aliased.client.get(f"/v2/models/{name}/ready")).status_code == 200
    assert asked == ["share", "traits:calm", "traits:calm"]


async def test_a_served_models_own_name_remains_the_model_itself(aliased: Any, asked: list[str]) -> None:
    for path in ("/v2/models/texts/infer", "/r/texts/v2/models/texts/infer"):
        answer = await aliased.post(path, tensors())
        assert (answer.status_code, asked) == (404, [])  # this model server passes nothing through
    assert (await aliased.post("/r/share/v2/models/texts/infer", tensors())).status_code == 422
    await aliased.ok("/r/texts/v2/models/reward_model/infer", tensors())
    assert asked == ["texts"]


# Models that come later


async def test_a_model_that_was_loaded_just_now_has_its_name(http: Any) -> None:
    http.models.loaded.add("late")
    assert await http.ok("/rm", rm(model="late")) == 5.0
    http.models.loaded.add("later")
    assert await http.ok("/r/later:number/rm", rm()) == 5.0


async def test_the_model_server_is_not_asked_about_each_unknown_name_again_and_again(http: Any) -> None:
    for _ in range(5):
        assert (await http.post("/rm", rm(model="nobody"))).status_code == 404
        await http.ok("/rm", rm(model="model"))
    assert http.models.looked_up.count("nobody") == 1
    assert "model" not in http.models.looked_up


async def test_a_name_that_cannot_be_looked_up_yet_is_no_unknown_name(http: Any) -> None:
    http.models.away = True
    http.models.loaded.add("late")
    assert (await http.post("/rm", rm(model="late"))).status_code == 404
    http.gateway.runtime._known_models = None
    assert (await http.post("/rm", rm(model="later still"))).status_code == 404
    http.models.loaded.add("last")
    assert (await http.post("/rm", rm(model="last"))).status_code == 503
