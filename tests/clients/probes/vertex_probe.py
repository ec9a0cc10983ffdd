"""Vertex AI: the class of Google's SDK in which a tuning job names its reward. The caller itself runs at Google's."""

from google.genai import types

PACKAGE = "google-genai"


def parse(lines: list[str]) -> str:
    key, url = lines[0].split(": ", 1)
    spec = types.ReinforcementTuningSpec.model_validate({"singleRewardConfig": {"cloudRunRewardScorer": {key: url}}})
    assert spec.single_reward_config is not None
    scorer = spec.single_reward_config.cloud_run_reward_scorer
    assert scorer is not None
    assert scorer.cloud_run_uri == "https://HOST/r/RECIPE/vertex"
    return type(scorer).__name__
