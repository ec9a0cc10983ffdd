"""Metrics, flags, fields, operations and the keys of files: every one that the code has stands in the reference."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.upstreams.config import INPUTS
from reward_gateway.backends.upstreams.file import UpstreamsFile
from reward_gateway.fair_queue import Priority
from reward_gateway.gateway import STATE_RESET
from reward_gateway.intake.chat_text import TEXT_FLAGS
from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.schema import RecipeFile
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.flags import FLAGS
from reward_gateway.sample.messages import ChatMessage
from reward_gateway.settings import Settings
from reward_gateway.telemetry.metrics import Metrics
from reward_gateway.traffic.keys import ApiKey

from tests.documents import read_table

Read = Callable[[str], str]


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within the type of a field, and those within their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_of(field.annotation)
    for inner in get_args(annotation):
        yield from models_of(inner)


@pytest.mark.parametrize(
    ("page", "root"),
    [
        ("recipe_file", RecipeFile),
        ("upstreams_file", UpstreamsFile),
        ("judges_file", JudgeConfig),
        ("api_keys_file", ApiKey),
    ],
)
def test_every_key_of_a_file_has_a_row_that_says_what_it_does(
    read_page: Read, page: str, root: type[BaseModel]
) -> None:
    rows = read_table(read_page(page), "key", "type", "default", "what it does")
    described = {row[0].strip("`"): row[3] for row in rows}
    found = list(dict.fromkeys(models_of(root)))
    for model in found:
        for name in model.model_fields:
            if page != "upstreams_file" or model is not UpstreamsFile:
                assert described.get(name), f"{model.__name__}.{name}"


def test_every_protocol_and_priority_is_named(read_page: Read) -> None:
    for protocol in INPUTS:
        assert f"| `{protocol}` |" in read_page("upstreams_file")
    for priority in get_args(Priority):
        assert f"| `{priority}` |" in read_page("api_keys_file")


def test_every_metric_has_a_row_with_its_labels(read_page: Read) -> None:
    rows = {row[0].strip("`"): row for row in read_table(read_page("metrics"), "metric", "labels", "what it says")}
    made = 0
    for collector in list(Metrics().registry._collector_to_names):
        for family in collector.collect():
            if family.name.startswith("reward_gateway_"):
                made += 1
                row = rows[family.name + ("_total" if family.type == "counter" else "")]
                assert row[1].replace("`", "").replace("—", "") == ", ".join(getattr(collector, "_labelnames", ()))
    assert made == len(rows) > 80


def test_every_flag_has_a_meaning(read_page: Read) -> None:
    page = read_page("flags")
    for flag in (*GUARDS, *FLAGS, STATE_RESET, *TEXT_FLAGS):
        assert f"| `{flag}` | " in page, flag


def test_every_field_of_a_sample_has_a_row(read_page: Read) -> None:
    page = read_page("sample_fields")
    rows = {row[0].strip("`"): row for row in read_table(page, "field", "type", "example", "what it is")}
    assert list(rows) == list(SampleItem.__struct_fields__)
    assert all(len(row[3]) > 20 for row in rows.values())
    for key in ChatMessage.__struct_fields__:
        assert f"| `{key}` |" in page
    for setting in ("max_samples", "max_text_chars", "max_images", "max_frames", "max_nesting"):
        assert f"| `{setting}` | `{Settings.model_fields[setting].default}` |" in page


def test_every_operation_is_linked_to_its_page(read_page: Read) -> None:
    page = read_page("operations")
    for operation in catalog():
        assert f"[`{operation.name}`](/pages/operations/{operation.kind}/{operation.name})" in page
