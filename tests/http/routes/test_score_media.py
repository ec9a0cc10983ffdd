"""Images, frames, messages and steps of a score request."""

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.anyio


def png(width: int = 3, height: int = 2) -> str:
    buffer = BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


async def test_an_image_that_cannot_be_read_makes_its_sample_invalid_and_no_other(served: Any) -> None:
    body = {
        "reward": "looks",
        "samples": [{"response": "", "images": [png()]}, {"response": "", "images": [png(), "no base64"]}],
    }
    good, bad = (await served.score(body)).json()["results"]
    assert good["reward"] == 1.0
    assert (bad["valid"], bad["error"]["code"]) == (False, "invalid_media")
    failing = await served.score({**body, "options": {"on_invalid": "fail"}})
    served.refused(failing, 422, "samples[1].images[1]")
    assert failing.json()["error"]["message"].count("images[1]") == 1


@pytest.mark.parametrize("settings", [{"max_image_bytes": 60}, {"max_image_pixels": 6}])
async def test_an_image_over_its_limit_makes_its_sample_invalid(serve: Any, settings: dict[str, int]) -> None:
    async with serve(**settings) as served:
        body = {"reward": "looks", "samples": [{"response": "", "images": [png(30, 20)]}, {"response": ""}]}
        bad, good = (await served.score(body)).json()["results"]
        assert (bad["error"]["code"], good["valid"]) == ("too_large", True)


async def test_large_images_are_read_off_the_loop_and_counted_the_same(served: Any) -> None:
    noise = Image.effect_noise((700, 700), 80)
    buffer = BytesIO()
    noise.save(buffer, "PNG")
    image = base64.b64encode(buffer.getvalue()).decode()
    assert len(image) > 256 << 10
    body = {"reward": "looks", "samples": [{"response": "", "images": [image, {"b64": image}]}]}
    assert (await served.score(body)).json()["results"][0]["reward"] == 2.0


async def test_the_images_of_messages_are_images_of_the_sample(served: Any) -> None:
    url = f"data:image/png;base64,{png()}"
    content = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "image_url", "image_url": url},
        {"type": "image", "image": {"b64": png()}},
    ]
    sample = {"prompt": [{"role": "user", "content": content}], "response": "", "images": [png(9, 9)]}
    assert (await served.score({"reward": "looks", "samples": [sample]})).json()["results"][0]["reward"] == 4.0
    batch = served.models.seen[0]
    assert batch.prompts[0][0]["content"] == [{"type": "text", "text": "Look:"}, *[{"type": "image"}] * 3]
    assert Image.open(BytesIO(batch.images[0][3].data)).size == (9, 9)


async def test_a_broken_image_in_a_message_is_named_by_its_place(served: Any) -> None:
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    body = {
        "samples": [{"prompt": [{"role": "user", "content": content}], "response": ""}],
        "options": {"on_invalid": "fail"},
    }
    served.refused(await served.score(body), 422, "samples[0].prompt[0].content[1].image_url")


async def test_messages_reach_the_model_as_messages(served: Any) -> None:
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
    ]
    answer = await served.score({"samples": [{"prompt": turns, "response": [{"role": "assistant", "content": "ok"}]}]})
    assert answer.json()["results"][0]["reward"] == 2.0
    assert served.models.seen[0].prompts[0] == turns


async def test_steps_and_their_scores_reach_the_batch(served: Any) -> None:
    sample = {"response": "", "steps": [{"text": "a", "score": 0.5}, {"text": "b", "score": 1}]}
    await served.score({"samples": [sample, {"response": ""}]})
    batch = served.models.seen[0]
    assert batch.steps == [["a", "b"], None]
    assert batch.features == [{"step_scores": [0.5, 1.0]}, {}]
