"""A whole conversation of OpenReward's own client with the service, and what its parser made of each answer.

python openreward_session.py URL RECIPE GROUPED OUT.json
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from openreward import GroupCandidate, Message, ScoreGroupFailed
from openreward.api.environments.client import AsyncEnvironmentsAPI
from openreward.api.environments.types import TextBlock, ToolCallError


def say(text: str) -> list[Message]:
    return [Message(role="assistant", blocks=[TextBlock(text)])]


async def main(url: str, recipe: str, grouped: str, out: str) -> None:
    found: dict[str, Any] = {}
    async with AsyncEnvironmentsAPI(base_url=url, api_key=None) as api:
        env = api.get(recipe, variant=recipe)
        found["splits"] = await env.list_splits()
        found["count"] = await env.num_tasks("train")
        found["tasks"] = [task.task_spec["prompt"] for task in await env.list_tasks("train")]
        found["range"] = [task.task_spec["index"] for task in await env.get_task_range("train", -1)]
        found["task"] = (await env.get_task("train", 1)).task_spec["prompt"]
        found["groups"] = [await each.supports_score_group() for each in (env, api.get(grouped, variant=grouped))]
        async with env.session(split="train", index=0) as session:
            (turn,) = await session.get_messages()
            found["turn"] = [turn.role, turn.blocks[0].text]
            found["tools"] = [tool["name"] for tool in await session.list_tools(format="openai")]
            found["version"] = sorted(await session.version())
            found["refused"] = []
            for name, arguments in (("search", {}), ("answer", {"answer": 4})):
                try:
                    await session.call_tool(name, arguments)
                except ToolCallError as error:
                    found["refused"].append(error.reason)
            output = await session.call_tool("answer", {"answer": "4"})
            found["output"] = [output.reward, output.finished, output.metadata, output.blocks[0].text]
            try:
                await session.call_tool("answer", {"answer": "4"})
            except ToolCallError as error:
                found["refused"].append(error.reason)
        named_by_header = api.get(recipe)
        async with named_by_header.session(split="train", index=0) as session:
            found["by header"] = (await session.call_tool("answer", {"answer": "4"})).reward
        async with api.get(grouped, variant=grouped).session(split="train", index=0) as session:
            candidates = [GroupCandidate(say(text), {"number": i}) for i, text in enumerate(("4", "5", "4 or 5"))]
            scores = await session.score_group(candidates)
            found["scores"] = [score.reward for score in scores]
            found["numbers"] = [score.metadata["number"] for score in scores]
            again = await session.score_group([say("4"), say("5")])
            found["again"] = [score.reward for score in again]
            try:
                await session.score_group([say("4"), say("")])
            except ScoreGroupFailed as error:
                found["failed"] = str(error)
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
