"""``models add``: a checkpoint becomes a model of the repository, and of a running service where one is named.

The conversion needs torch and transformers, which the gateway's environment does not have: it runs in a process of
its own, with the Python that has them.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import live
from .output import FAULTY, ApiKey, AsJson, Unusable, Url, err
from .repository import Repository
from .repository import folder as folder_of

PYTHON_VARIABLE = "REWARD_MODELS_CONVERT_PYTHON"
ENVIRONMENT = Path(".local/convert/bin/python")
"""Where ``make convert`` puts it, below the project's folder."""


def add(
    source: Annotated[str, typer.Argument(help="A checkpoint's folder, or a hub id.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="Of the model; a name that is there gets its next version.")],
    kind: Annotated[
        str, typer.Option(help="sequence, head, steps, tokens, clip, pickscore, hps or aesthetic; else detected.")
    ] = "",
    repository: Repository = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit of a hub id.")] = "",
    dtype: Annotated[str, typer.Option(help="Of the weights: float32 or float16 (for a GPU).")] = "float32",
    max_length: Annotated[int, typer.Option(help="Most tokens of a text; 0: the checkpoint's, at most 4096.")] = 0,
    template: Annotated[str, typer.Option(help="chat, pair, response, or a file of Jinja.")] = "",
    truncate: Annotated[str, typer.Option(help="Of a text that is too long: left, right or refuse.")] = "",
    dimension: Annotated[
        list[str] | None, typer.Option(help="Name of a score, in the head's order; of steps: min, mean, last …")
    ] = None,
    output: Annotated[str, typer.Option(help="logits, sigmoid or softmax of the head's numbers.")] = "logits",
    head: Annotated[Path | None, typer.Option(help="A file of weights with the head.", show_default=False)] = None,
    pool: Annotated[str, typer.Option(help="Of kind head: the last token, or the mean.")] = "last",
    activation: Annotated[str, typer.Option(help="Between a head's layers: none, relu, gelu, silu, tanh.")] = "none",
    step_mark: Annotated[str, typer.Option(help="The token behind each step.")] = "",
    step_split: Annotated[str, typer.Option(help="What separates the steps of an answer.")] = "\\n\\n",
    answer: Annotated[
        list[str] | None, typer.Option(help="Of a language model that judges steps: the good word, then the bad one.")
    ] = None,
    label: Annotated[str, typer.Option(help="Of a token classifier, the label that counts.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Convert and check; publish nothing.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Convert a checkpoint, check it against torch, and make it a model; --url loads it into a running service."""
    given = {
        "--name": name,
        "--kind": kind,
        "--repository": str(folder_of(repository)),
        "--revision": revision,
        "--dtype": dtype,
        "--max-length": str(max_length),
        "--template": template,
        "--truncate": truncate,
        "--output": output,
        "--head": str(head or ""),
        "--pool": pool,
        "--activation": activation,
        "--step-mark": step_mark,
        "--step-split": step_split,
        "--label": label,
    }
    arguments = [f"{option}={value}" for option, value in given.items() if value]
    arguments += [f"--dimension={value}" for value in dimension or ()]
    arguments += [f"--answer={value}" for value in answer or ()] + ["--dry-run"] * dry_run
    added = _convert([*arguments, "--", source])
    if as_json:
        print(json.dumps(added))
    elif dry_run:
        err.print(f"{name}: can be added as {added['kind']}; nothing was written", markup=False)
    else:
        err.print(f"{name}@{added['version']}: {added['kind']}, {', '.join(added['dimensions'])}", markup=False)
    if url and not dry_run:
        live.load(name, url, api_key)


def _convert(arguments: list[str]) -> dict[str, Any]:
    """What the conversion said of the model. Its own words go to the error stream."""
    import reward_models

    room = Path(next(iter(reward_models.__path__))).parent
    environment = {**os.environ, "PYTHONPATH": str(room)}
    command = [str(_python()), "-W", "ignore", "-m", "reward_models.convert", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise typer.Exit(FAULTY)
    said: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    return said


def _python() -> Path:
    """The Python that has torch and transformers. Raises Unusable if there is none."""
    if named := os.environ.get(PYTHON_VARIABLE):
        return Path(named)
    if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
        return Path(sys.executable)
    for place in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if (place / ENVIRONMENT).is_file():
            return place / ENVIRONMENT
    raise Unusable(
        "torch and transformers are needed to convert a checkpoint, and are not installed: `make convert` puts them "
        "into an environment of their own, `pip install 'reward-gateway[convert]'` into this one, or name a Python "
        f"that has them in {PYTHON_VARIABLE}"
    )
