"""LLaMA-Factory: PPO posts whole conversations, rendered, and reads ``scores``."""

import yaml
from run import Call, find_file, import_alone, render_chatml

get_rewards_from_server = import_alone("llamafactory.train.ppo.ppo_utils").get_rewards_from_server

PACKAGE = "llamafactory"


def score(call: Call) -> list[float | None]:
    texts = [f"{render_chatml(sample['prompt'])}{sample['response']}<|im_end|>\n" for sample in call.samples]
    return list(get_rewards_from_server(f"{call.url}/v1/score/evaluation?reward={call.recipe}", texts).tolist())


def parse(lines: list[str]) -> str:
    from transformers import HfArgumentParser

    arguments = import_alone("llamafactory.hparams.finetuning_args").FinetuningArguments
    settings = dict(line.split(": ", 1) for line in lines)
    (parsed,) = HfArgumentParser(arguments).parse_dict({"stage": "ppo", **settings})
    assert parsed.reward_model_type == "api"
    assert parsed.reward_model == settings["reward_model"]
    return "FinetuningArguments"


def read_guide(guide: str) -> str:
    from transformers import HfArgumentParser

    arguments = import_alone("llamafactory.hparams.finetuning_args").FinetuningArguments
    settings = yaml.safe_load(find_file(guide, "ppo.yaml"))
    (parsed,) = HfArgumentParser(arguments).parse_dict(settings, allow_extra_keys=True)
    assert parsed.reward_model == settings["reward_model"]
    return type(parsed).__name__
