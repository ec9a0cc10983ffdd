"""UniRL: its reward service scores the pictures of a sample by its remote backend, and attaches the rewards."""

import torch
import yaml
from run import Call
from unirl.reward.remote import RemoteRewardBackend, RemoteRewardSpec
from unirl.reward.service import RewardService
from unirl.types.primitives import Images, Texts
from unirl.types.sample import Part, Sample
from unirl.types.sampling import DiffusionSamplingParams

PACKAGE = "unirl"


def score(call: Call) -> list[float | None]:
    spec = RemoteRewardSpec(
        base_url=f"{call.url}/unirl", required_rewards=(call.recipe,), retry_delay=0.1, image_format="PNG"
    )
    pixels = torch.tensor([frames[-1] for frames in call.column("pixels")]).permute(0, 3, 1, 2) / 255
    asked = Part.input(
        sample_ids=[str(place) for place in range(len(call.samples))],
        primitives={"text": Texts(texts=call.column("prompt"))},
    )
    sample = Sample.request(asked).fork(1, sampling_params=DiffusionSamplingParams())
    sample = sample.with_filled_frontier(primitives={"image": Images.from_dense(pixels)})
    service = RewardService(RemoteRewardBackend(config=spec, base_device="cpu"))
    return list(service.score_and_attach(sample).parts[-1].rewards.tolist())


def parse(lines: list[str]) -> str:
    setting, url = next(iter(yaml.safe_load(lines[0]).items()))
    assert setting == "reward.backend.config.base_url"
    spec = RemoteRewardSpec(base_url=url, required_rewards=("RECIPE",))
    assert RemoteRewardBackend(config=spec, base_device="cpu").base_url == "http://HOST:8080/unirl"
    return RemoteRewardSpec.__name__
