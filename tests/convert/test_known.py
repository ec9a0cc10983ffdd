"""What the catalogue of known models says of a conversion works: on a tiny checkpoint of the family's layout."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from reward_gateway.cli.known import read_families  # noqa: E402
from reward_models.convert.__main__ import make_parser  # noqa: E402
from reward_models.convert.add import add_checkpoint  # noqa: E402
from reward_models.convert.options import Options  # noqa: E402

from tests.convert.known_layouts import CLASSES, FILES, LAYOUTS  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Of torch and transformers themselves, while they export.
    pytest.mark.filterwarnings("ignore"),
]


def group_alike() -> dict[tuple[str, ...], list[str]]:
    """The families that are tried, by layout, flags and files: those of one group are one conversion."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, family in read_families().items():
        if family.convert is not None and family.convert.layout in LAYOUTS:
            _source, _option, _name, *flags = shlex.split(family.convert.command)[3:]
            key = (family.convert.layout, *flags, *(f"{file}: {text}" for file, text in family.files.items()))
            groups.setdefault(key, []).append(name)
    return groups


GROUPS = list(group_alike().values())


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny checkpoint of a layout; made once."""
    made: dict[str, Path] = {}

    def write(layout: str) -> Path:
        if layout not in made:
            made[layout] = tmp_path_factory.mktemp("known") / layout
            made[layout].mkdir()
            LAYOUTS[layout](made[layout])
        return made[layout]

    return write


@pytest.mark.parametrize("names", GROUPS, ids="+".join)
def test_the_command_converts_a_checkpoint_of_the_layout(
    names: list[str],
    written: Callable[[str], Path],
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = read_families()[names[0]]
    assert family.convert is not None
    source = written(family.convert.layout)
    monkeypatch.chdir(tmp_path)
    for file, content in family.files.items():
        Path(file).write_text(content, "utf-8")
    arguments = vars(make_parser().parse_args(shlex.split(family.convert.command)[3:]))
    if arguments["head"] is not None:
        arguments["head"] = source / "head.pth"
    if layout_file := FILES.get(family.convert.layout):
        arguments["base"], source = str(source), source / layout_file
    model = arguments["name"]
    for key in ("source", "name", "repository", "dry_run"):
        del arguments[key]
    options = Options(**{**arguments, **{key: tuple(arguments[key]) for key in ("dimensions", "answers")}})

    added = add_checkpoint(str(source), model, repository, options, say=lambda line: None)

    assert all(added.dimensions == tuple(read_families()[name].dimensions) for name in names)
    half = options.dtype == "float16"
    assert added.measured.to_torch < (2e-2 if half else 1e-4)
    assert added.measured.spread > 10 * added.measured.to_torch


@pytest.mark.parametrize("name", CLASSES)
def test_transformers_loads_a_checkpoint_of_the_class(name: str, tmp_path: Path) -> None:
    """What it loads is what was written, all of it, and it gives the same numbers."""
    found = getattr(transformers, name)
    torch.manual_seed(0)
    written = found(found.config_class(**CLASSES[name])).eval()
    written.save_pretrained(tmp_path)
    assert transformers.AutoConfig.from_pretrained(tmp_path).architectures == [name]
    loaded, report = found.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    ids = torch.tensor([[5, 17, 40, 9]])
    with torch.no_grad():
        before, after = (model.eval()(input_ids=ids)[0] for model in (written, loaded))
    torch.testing.assert_close(after, before)
    assert after.std() > 0
