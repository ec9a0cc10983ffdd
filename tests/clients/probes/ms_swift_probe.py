"""ms-swift: the plugin file loaded as ``--external_plugins`` loads it, the reward called as its trainer calls it."""

import asyncio
import inspect

import reward_gateway.client.adapters.ms_swift as plugin
from run import Call
from swift.rewards import orms
from swift.utils import import_external_file

PACKAGE = "ms-swift"

import_external_file(f"{plugin.__path__[0]}/plugin.py")


def score(call: Call) -> list[float | None]:
    function = orms["reward_gateway"](args=None)
    assert inspect.iscoroutinefunction(function.__call__)
    turns = [
        [{"role": "user", "content": sample["prompt"]}, {"role": "assistant", "content": sample["response"]}]
        for sample in call.samples
    ]
    return asyncio.run(function(call.column("response"), messages=turns, solution=call.column("reference")))


def parse(lines: list[str]) -> str:
    from swift.arguments import RLHFArguments
    from transformers import HfArgumentParser

    words = lines[0].replace("…/reward_gateway/client/adapters/ms_swift", plugin.__path__[0]).split()
    parsed = HfArgumentParser(RLHFArguments).parse_args(["--rlhf_type", "grpo", *words])
    assert parsed.reward_funcs == ["reward_gateway"]
    assert parsed.external_plugins == [f"{plugin.__path__[0]}/plugin.py"]
    return RLHFArguments.__name__
