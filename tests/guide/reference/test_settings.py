"""Every setting is in the reference, with its flag, variable, default and unit."""

import re
from collections.abc import Callable

from reward_gateway.cli.serve import serve
from reward_gateway.cli.serve_flags import GroupedCommand
from reward_gateway.settings import Settings
from typer import Typer
from typer.testing import CliRunner

from tests.documents import read_table

Read = Callable[[str], str]
COLUMNS = ("flag and variable", "default", "values", "what it does")


def rows(page: str) -> dict[str, list[str]]:
    found = {}
    for row in read_table(page, *COLUMNS):
        (variable,) = re.findall(r"REWARD_GATEWAY_([A-Z0-9_]+)", row[0])
        found[variable.lower()] = row
    return found


def test_every_setting_has_a_row_with_its_flag(read_page: Read) -> None:
    found = rows(read_page("settings"))
    assert set(found) == set(Settings.model_fields)
    for name, row in found.items():
        assert f"`--{name.replace('_', '-')}`" in row[0]
        assert len(row[3]) > 20 or name in ("http_port",), row


def test_numbers_have_their_defaults_and_limits(read_page: Read) -> None:
    found = rows(read_page("settings"))
    assert found["max_samples"][1:3] == ["`4096`", "integer, at least 1"]
    assert found["max_body_bytes"][1:3] == ["`67108864` (64 MiB)", "integer, at least 1, in bytes"]
    assert found["sandbox_memory"][2] == "integer, at least 134,217,728, in bytes"
    assert found["device"][1:3] == ["`cpu`", "`cpu` or `gpu` or `auto`"]
    assert found["media_url_ports"][1] == "`443,80`"
    assert found["pickle"][1:3] == ["off", "on or off"]
    for name, field in Settings.model_fields.items():
        if type(field.default) in (int, float) and name != "compute_processes":
            assert f"`{field.default}`" in found[name][1]


def test_times_and_sizes_have_units(read_page: Read) -> None:
    for name, row in rows(read_page("settings")).items():
        if name.endswith("_ms"):
            assert row[2].endswith("in milliseconds"), name
        elif name.endswith("_s"):
            assert row[2].endswith("in seconds"), name
        if row[3].startswith(("Maximum bytes", "Bytes")) and row[2].startswith("integer"):
            assert "bytes" in row[2], name


def test_the_groups_are_those_of_the_help(read_page: Read) -> None:
    app = Typer(rich_markup_mode=None)
    app.command(cls=GroupedCommand)(serve)
    shown = CliRunner().invoke(app, ["--help"]).output
    help_groups = [line[:-1] for line in shown.splitlines() if re.fullmatch(r"[A-Z].*:", line)]
    titles = re.findall(r"^## (.+)$", read_page("settings"), flags=re.MULTILINE)
    assert titles == [title for title in help_groups if title not in ("Options", "Help")]
