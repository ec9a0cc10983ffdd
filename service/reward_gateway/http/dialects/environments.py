"""Recipes as environments: a task of the task file, or one that the client brings, is answered once."""

from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request

from reward_gateway.errors import InvalidRequest, NotFound
from reward_gateway.intake.task_file import TaskFile, TaskItem
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import ChatMessage

from ..dependencies import dependencies_of

SESSION_S = 900.0
"""Seconds after which a session that nobody uses is over."""

SPLIT_TYPES = ("train", "validation", "test")


class EnvironmentTask(Struct, omit_defaults=True):
    """A task as a session keeps it: its place in the task file, or the task itself.

    Attributes:
        digest: of the task in the file, which may have changed since.
    """

    reward: str
    split: str = ""
    index: int = -1
    digest: str = ""
    brought: dict[str, Any] | None = None


def tasks_of(request: Request) -> TaskFile:
    """The tasks of the task file."""
    return dependencies_of(request).tasks


def name_splits(tasks: TaskFile, plan: Plan) -> list[dict[str, str]]:
    """The splits of a recipe, each with one of the three kinds of splits."""
    splits = tasks.list_splits(plan.name)
    return [{"name": name, "type": name if name in SPLIT_TYPES else "validation"} for name in splits]


def count_tasks(tasks: TaskFile, plan: Plan, split: str) -> int:
    """How many tasks there are. Raises NotFound for a split that the recipe does not have."""
    if split not in tasks.list_splits(plan.name):
        raise NotFound("this recipe has no tasks in this split; the setting tasks_file names a file of them")
    return tasks.count(plan.name, split)


def describe_task(tasks: TaskFile, plan: Plan, split: str, index: int) -> dict[str, Any]:
    """A task as clients see it: its place, its prompt and its metadata, but nothing that it is graded by."""
    task = _get(tasks, plan.name, split, index)
    shown: dict[str, Any] = {"split": split, "index": index, "prompt": write_prompt(task.prompt)}
    if task.metadata is not msgspec.UNSET:
        shown["metadata"] = msgspec.json.decode(task.metadata)
    return shown


def write_prompt(prompt: str | list[ChatMessage] | None) -> Any:
    """A prompt for the wire: a text, or messages with the keys that they have."""
    if not isinstance(prompt, list):
        return prompt
    messages: list[dict[str, Any]] = msgspec.to_builtins(prompt)
    return [{key: value for key, value in message.items() if value is not None} for message in messages]


def choose_task(tasks: TaskFile, plan: Plan, split: str, index: int) -> EnvironmentTask:
    """The task at a place of the file. Raises NotFound."""
    count_tasks(tasks, plan, split)
    _get(tasks, plan.name, split, index)
    return EnvironmentTask(plan.name, split, index, tasks.digest(plan.name, split, index))


def accept_task(tasks: TaskFile, plan: Plan, spec: dict[str, Any], most_chars: int) -> EnvironmentTask:
    """The task that a client names: one that it was shown, or one of its own with the fields of a sample.

    Raises:
        NotFound: the place that it names has no task.
        InvalidRequest: it is no task, or too large.
    """
    if isinstance(spec.get("split"), str) and isinstance(spec.get("index"), int):
        return choose_task(tasks, plan, spec["split"], spec["index"])
    if len(msgspec.json.encode(spec)) > most_chars:
        raise InvalidRequest(f"task_spec: over the limit of {most_chars} bytes", param="task_spec")
    _convert_task(spec)
    return EnvironmentTask(plan.name, brought=spec)


def open_task(tasks: TaskFile, task: EnvironmentTask) -> TaskItem:
    """The task of a session. Raises NotFound if the file has another one at its place now."""
    if task.brought is not None:
        return _convert_task(task.brought)
    found = _get(tasks, task.reward, task.split, task.index)
    if tasks.digest(task.reward, task.split, task.index) != task.digest:
        raise NotFound("the task file has another task at this place now; begin a new session")
    return found


def answer_task(tasks: TaskFile, task: EnvironmentTask, answer: Any) -> SampleItem:
    """The sample of a task and its answer. Raises as :func:`open_task`."""
    return open_task(tasks, task).to_sample(answer)


def _get(tasks: TaskFile, reward: str, split: str, index: int) -> TaskItem:
    try:
        return tasks.get(reward, split, index)
    except IndexError:
        raise NotFound("there is no task of this number in this split", param="index") from None


def _convert_task(spec: dict[str, Any]) -> TaskItem:
    try:
        task = msgspec.json.decode(msgspec.json.encode(spec), type=TaskItem)
    except msgspec.ValidationError:
        raise InvalidRequest(
            "task_spec: expected split and index of a task, or the fields of a sample with a prompt", param="task_spec"
        ) from None
    if task.prompt is None or task.response is not None:
        raise InvalidRequest("task_spec: expected a prompt and no response", param="task_spec")
    return task
