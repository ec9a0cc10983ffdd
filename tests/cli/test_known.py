"""``models known``: what is said of a public model can be pasted, and what is not known is said to be so."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.rows import inputs_of
from reward_gateway.backends.upstreams.templates import ChatTemplate
from reward_gateway.cli.known import CatalogueError, read_families, read_family
from reward_gateway.cli.known.family import Family
from reward_gateway.cli.main import app
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_models.convert.__main__ import make_parser
from typer.main import get_command

from tests.cli.conftest import Run
from tests.convert.known_layouts import CLASSES, LAYOUTS

FAMILIES = read_families()
CONVERTED = [name for name, family in FAMILIES.items() if family.convert is not None]
UPSTREAM = [name for name, family in FAMILIES.items() if family.upstream is not None]
JUDGES = [name for name, family in FAMILIES.items() if family.judge is not None]
SERVED = [name for name, family in FAMILIES.items() if family.way != "none"]
SHIPPED = {
    "skywork-reward-v2": "skywork_v2",
    "qwen2.5-math-prm": "prm",
    "bge-reranker": "cross_encoder",
    "granite-guardian": "safety_guard",
    "pickscore": "pickscore",
}
"""Family -> the model that a recipe that ships awaits."""


def served_models(family: Family) -> Iterator[dict[str, KnownModel]]:
    """The model of each way, as a recipe would know it."""
    if family.upstream is not None:
        config = UpstreamConfig.model_validate(family.upstream.entry)
        yield {family.upstream.name: KnownModel(inputs_of(config), config.dimensions)}
    if family.convert is not None:
        inputs = ("prompt", "images") if family.form == ["image"] else ("prompt", "response", "messages", "steps")
        name = make_parser().parse_args(shlex.split(family.convert.command)[3:]).name
        yield {name: KnownModel(inputs, tuple(family.dimensions))}
    if family.judge is not None:
        yield {}


def test_there_are_some_sixty_of_every_form_and_way() -> None:
    assert len(FAMILIES) >= 60
    forms = {form for family in FAMILIES.values() for form in family.form}
    assert forms == {"text", "pair", "messages", "steps", "image", "video", "robot"}
    assert {family.way for family in FAMILIES.values()} == {"convert", "upstream", "judge", "none"}


@pytest.mark.parametrize("name", CONVERTED)
def test_the_command_parses_here_and_in_the_converter(name: str) -> None:
    family = FAMILIES[name]
    assert family.convert is not None
    words = shlex.split(family.convert.command)
    assert words[:3] == ["reward-gateway", "models", "add"]
    command = get_command(app)
    for word in words[1:3]:
        command = command.commands[word]  # type: ignore[attr-defined]
    context = command.make_context("add", words[3:])
    parsed = make_parser().parse_args(words[3:])
    assert context.params["source"] == parsed.source
    of_hub = "/".join(parsed.source.split("/")[:2])  # a third part is a file
    assert of_hub in family.hub or parsed.source.startswith("./")
    if parsed.dimensions:
        assert parsed.dimensions == family.dimensions


@pytest.mark.parametrize("name", UPSTREAM)
def test_the_upstream_is_an_entry_of_the_upstreams_file(name: str) -> None:
    family = FAMILIES[name]
    assert family.upstream is not None
    config = UpstreamConfig.model_validate(family.upstream.entry)
    if not config.vector:
        assert list(config.dimensions) == family.dimensions
    if config.model and family.hub and "own" not in family.upstream.serve:
        assert config.model in family.hub
        assert config.model in family.upstream.serve


@pytest.mark.parametrize("name", JUDGES)
def test_the_judge_is_an_entry_of_the_judges_file(name: str) -> None:
    family = FAMILIES[name]
    assert family.judge is not None
    config = JudgeConfig.model_validate(family.judge.entry)
    assert config.model in family.hub
    assert config.model in family.judge.serve


@pytest.mark.parametrize("name", SERVED)
def test_the_recipe_compiles_over_each_way(name: str) -> None:
    family = FAMILIES[name]
    text = yaml.safe_dump(family.recipe)
    for models in served_models(family):
        book = load_book(text, models)
        (plan,) = book.plans.values()
        named = {*plan.models, *(text for text in models if f"model: {text}" in yaml.safe_dump(family.recipe))}
        assert named == {*models}
        if family.judge is not None:
            assert f"judge: {family.judge.entry['name']}" in text


def paste(page: str) -> None:
    """Write what a page gives into files: upstreams.yaml, rewards.yaml and the files that it names."""
    block = r"(?:^## ([^\n]*)\n)?\n```(?:yaml|bash)?\n(.*?)\n```$"
    for title, content in re.findall(block, page, flags=re.MULTILINE | re.DOTALL):
        for key in ("upstreams", "rewards"):
            if content.startswith(f"{key}:"):
                Path(f"{key}.yaml").write_text(content)
        if title.startswith("The file "):
            Path(title.removeprefix("The file ")).write_text(content)


@pytest.mark.parametrize("name", UPSTREAM)
def test_what_is_pasted_from_the_page_passes_the_checks(name: str, run: Run) -> None:
    paste(run("models", "known", name).out)
    for file in re.findall(r"[\w.-]+\.jinja", FAMILIES[name].note or ""):  # of the checkpoint, as the note says
        Path(file).write_text("{{ messages | tojson }}")
    checked = run("upstreams", "check", "upstreams.yaml", "--offline")
    assert (checked.code, checked.out) == (0, "")
    checked = run("rewards", "check", "rewards.yaml", "--upstreams", "upstreams.yaml")
    assert (checked.code, checked.out) == (0, ""), checked.out
    assert "(warning)" not in checked.err


def test_without_its_upstream_a_pasted_recipe_names_what_is_missing(run: Run) -> None:
    family = FAMILIES["skywork-reward-v2"]
    assert family.upstream is not None
    paste(run("models", "known", family.name).out)
    checked = run("rewards", "check", "rewards.yaml")
    assert checked.code == 1
    assert f"'{family.upstream.name}' is no scoring operation and no model" in checked.out


@pytest.mark.parametrize("name", FAMILIES)
def test_every_template_is_given_or_explained_and_renders(name: str) -> None:
    family = FAMILIES[name]
    snippets = family.model_dump_json(include={"convert", "upstream"})
    for template in re.findall(r"[\w./-]+\.jinja", snippets):
        if template.startswith("examples/pooling/"):  # of vLLM itself
            continue
        assert template in family.files or template in (family.note or "")
    for content in family.files.values():
        question, answer = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So.\n\nThat."}
        rendered = ChatTemplate(content, {}).render([question, answer])
        assert rendered.index("Why?") < rendered.index("So.")


@pytest.mark.parametrize("name", FAMILIES)
def test_tried_is_what_the_tests_of_conversions_really_try(name: str) -> None:
    family = FAMILIES[name]
    assert (family.tried == "scores") == (family.convert is not None and family.convert.layout in LAYOUTS)
    assert {*family.loads} <= {*CLASSES}


def test_every_class_is_some_familys() -> None:
    assert {*CLASSES} == {name for family in FAMILIES.values() for name in family.loads}


def test_most_are_tried() -> None:
    """Nothing is tried where the layout is that of code which is on the hub alone."""
    untried = {name for name, family in FAMILIES.items() if family.tried == "nothing"}
    assert len(untried) <= 7


def test_every_layout_is_some_familys() -> None:
    assert {*LAYOUTS} == {family.convert.layout for family in FAMILIES.values() if family.convert is not None}


@pytest.mark.parametrize(("name", "model"), SHIPPED.items())
def test_the_models_that_shipped_recipes_await_are_those_of_the_catalogue(name: str, model: str) -> None:
    assert all(model in models for models in served_models(FAMILIES[name]))


class TestSchema:
    """A file that is not whole is refused in words that say where."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "pickscore.yaml"
        path.write_text(yaml.safe_dump(FAMILIES["pickscore"].model_dump(exclude={"name"}, exclude_defaults=True)))
        return path

    def change(self, file: Path, **fields: object) -> Path:
        content = yaml.safe_load(file.read_text()) | fields
        file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return file

    def test_a_whole_one_is_read_and_has_the_name_of_its_file(self, file: Path) -> None:
        assert read_family(file) == FAMILIES["pickscore"]

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"licence": None}, "facts that are left out are `unverified`, and no others: licence"),
            ({"unverified": ["licence"]}, "facts that are left out are `unverified`, and no others: licence"),
            ({"tried": "nothing"}, "tried, or untried with a reason"),
            ({"tried": "loads"}, "scores are tried by `convert`"),
            ({"tried": "yes"}, "tried"),
            ({"loads": ["LlamaForCausalLM"]}, "loads names the classes"),
            ({"way": "judge"}, "way judge needs its snippet"),
            ({"way": "none"}, "way none has no snippet"),
            ({"recipe": None}, "a family that can be served has a recipe"),
            ({"sources": ["http://example.org"]}, r"sources\.0"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_what_is_missing_or_contradictory(self, file: Path, fields: dict[str, object], message: str) -> None:
        with pytest.raises(CatalogueError, match=rf"pickscore\.yaml: .*{message}"):
            read_family(self.change(file, **fields))

    def test_a_file_that_is_not_yaml(self, file: Path) -> None:
        file.write_text("title: [")
        with pytest.raises(CatalogueError, match=r"pickscore\.yaml: line 1 is not YAML"):
            read_family(file)


class TestCommand:
    """From the command line."""

    def test_without_a_name_it_is_a_table(self, run: Run) -> None:
        rows = [line.split("\t") for line in run("models", "known").out.splitlines()]
        assert [row[0] for row in rows] == list(FAMILIES)
        (row,) = [row for row in rows if row[0] == "bge-reranker"]
        assert row[1:] == ["how relevant a text is to a question", "pair", "convert, upstream", "apache-2.0"]
        (unknown,) = [row for row in rows if row[0] == "robometer"]
        assert unknown[3] == "none"

    def test_a_name_is_a_page_with_what_to_paste(self, run: Run) -> None:
        page = run("models", "known", "bge-reranker").out
        assert page.startswith("# BGE reranker\n")
        assert "\nlicence:     apache-2.0\n" in page
        assert "reward-gateway models add BAAI/bge-reranker-v2-m3 --name cross_encoder" in page
        assert "text-embeddings-router --model-id BAAI/bge-reranker-v2-m3" in page
        blocks = [yaml.safe_load(part.partition("```")[0]) for part in page.split("```yaml\n")[1:]]
        family = FAMILIES["bge-reranker"]
        assert family.upstream is not None
        assert blocks == [{"upstreams": {"cross_encoder": family.upstream.entry}}, family.recipe]

    def test_a_hub_id_is_a_name_too_in_any_case(self, run: Run) -> None:
        assert run("models", "known", "baai/BGE-reranker-v2-m3").out == run("models", "known", "bge-reranker").out

    def test_the_page_says_what_is_not_verified_and_why_it_was_not_tried(self, run: Run) -> None:
        page = run("models", "known", "mps").out
        assert "\nunverified:  hub, architecture, prompt, licence\n" in page
        assert "\ntried:       nothing: it is published as a pickle" in page

    def test_the_page_says_what_was_tried(self, run: Run) -> None:
        assert "\ntried:       the command below, on a tiny random" in run("models", "known", "qrm").out
        loaded = run("models", "known", "shieldgemma").out
        assert (
            "\ntried:       transformers loads tiny random checkpoints of Gemma2ForCausalLM; scores were not" in loaded
        )

    def test_one_that_cannot_be_served_says_why(self, run: Run) -> None:
        page = run("models", "known", "robometer").out
        assert "served by:   nothing yet" in page
        assert FAMILIES["robometer"].note is not None
        assert FAMILIES["robometer"].note in page

    def test_a_search_looks_at_everything(self, run: Run) -> None:
        found = json.loads(run("models", "known", "--search", "AesThetic", "--json").out)
        assert [family["name"] for family in found][:2] == ["aesthetic-v2", "aesthetic-v2.5"]
        nothing = run("models", "known", "--search", "no such thing")
        assert (nothing.code, nothing.out) == (0, "")
        assert "no family holds 'no such thing'" in nothing.err

    def test_json_is_the_whole_of_it(self, run: Run) -> None:
        everything = json.loads(run("models", "known", "--json").out)
        assert [Family.model_validate(family) for family in everything] == list(FAMILIES.values())
        assert Family.model_validate(json.loads(run("models", "known", "urm", "--json").out)) == FAMILIES["urm"]

    def test_an_unknown_name_is_refused_with_the_nearest(self, run: Run) -> None:
        refused = run("models", "known", "pikscore")
        assert refused.code == 2
        assert "no family and no hub id 'pikscore'; did you mean 'pickscore'?" in refused.err
