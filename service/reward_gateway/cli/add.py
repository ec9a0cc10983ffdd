"""``models add``: convert a checkpoint into a model of the repository and, with --url, load it into a running service.

The conversion needs torch and transformers, which the gateway's environment does not have, so it runs in a process
of its own with a Python that has them.
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
"""Path of the environment made by ``make convert``, relative to the project's folder."""


def add(
    source: Annotated[
        str, typer.Argument(help="A checkpoint's folder, a hub id, or a file of weights.", show_default=False)
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the model; an existing name gets its next version.")],
    kind: Annotated[
        str,
        typer.Option(
            help="sequence, head, gated, steps, tokens, clip, pickscore, hps, siglip, blip, aesthetic or image. If "
            "omitted: detected."
        ),
    ] = "",
    repository: Repository = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit of a hub id.")] = "",
    base: Annotated[
        str,
        typer.Option(
            help="Folder or hub id of the checkpoint that an adapter was trained on, which are merged; or that a file "
            "of weights of open_clip or ImageReward was."
        ),
    ] = "",
    engine: Annotated[
        str,
        typer.Option(
            help="What runs the network: onnx (a graph in Triton), torch or vllm (a process beside it), or auto: torch "
            "above a billion parameters or where the network does not become a graph."
        ),
    ] = "auto",
    dtype: Annotated[
        str, typer.Option(help="Type of the weights: float32, or float16 or bfloat16 (torch, vllm) for a GPU.")
    ] = "float32",
    max_length: Annotated[
        int, typer.Option(help="Maximum tokens per text; 0: the checkpoint's own limit, at most 4096.")
    ] = 0,
    template: Annotated[str, typer.Option(help="chat, pair, response, or a Jinja file.")] = "",
    truncate: Annotated[
        str, typer.Option(help="What to do with a text over the limit: cut it on the left or right, or refuse it.")
    ] = "",
    dimension: Annotated[
        list[str] | None,
        typer.Option(help="Name of a score, in the order of the head's outputs; for steps: min, mean, last …"),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            help="Score from the head's outputs: logits, sigmoid or softmax. If omitted: by the checkpoint's "
            "problem_type, else logits."
        ),
    ] = "",
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Apply the mean and deviation in the checkpoint's configuration.")
    ] = False,
    head: Annotated[Path | None, typer.Option(help="File with the weights of the head.", show_default=False)] = None,
    pool: Annotated[str, typer.Option(help="Pooling for kind head: last (token) or mean.")] = "last",
    activation: Annotated[
        str,
        typer.Option(
            help="Activation between a head's layers: none, relu, gelu, silu, selu, tanh. Needed for several "
            "layers unless the checkpoint's class is known."
        ),
    ] = "",
    step_mark: Annotated[str, typer.Option(help="Token after each step, at which it is scored.")] = "",
    step_split: Annotated[str, typer.Option(help="Separator of the steps of an answer.")] = "\\n\\n",
    answer: Annotated[
        list[str] | None,
        typer.Option(
            help="For a language model that judges steps: the word for a good step, then the one for a bad step."
        ),
    ] = None,
    label: Annotated[str, typer.Option(help="For a token classifier: the label whose probability is the score.")] = "",
    text_only: Annotated[
        bool, typer.Option("--text-only", help="Convert the text side alone of a model that sees images.")
    ] = False,
    trust_remote_code: Annotated[
        bool,
        typer.Option(
            "--trust-remote-code", help="Run Python code that the checkpoint brings, in the engine's process."
        ),
    ] = False,
    link: Annotated[
        bool,
        typer.Option("--link", help="For torch and vllm: link the checkpoint's files rather than copying them."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Convert and check, but do not publish.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Convert a checkpoint, compare it with torch and add it to the repository; --url also loads it in a service."""
    options = {
        "--name": name,
        "--kind": kind,
        "--repository": str(folder_of(repository)),
        "--revision": revision,
        "--base": base,
        "--engine": engine,
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
    arguments = [f"{option}={value}" for option, value in options.items() if value]
    arguments += [f"--dimension={value}" for value in dimension or ()]
    arguments += [f"--answer={value}" for value in answer or ()]
    arguments += ["--normalize"] * normalize + ["--text-only"] * text_only + ["--dry-run"] * dry_run
    arguments += ["--trust-remote-code"] * trust_remote_code + ["--link"] * link
    added = _convert([*arguments, "--", source])
    if as_json:
        print(json.dumps(added))
    elif dry_run:
        err.print(f"{name}: can be added as {added['kind']}, by {added['engine']}; nothing was written", markup=False)
    else:
        what = f"{added['kind']}, by {added['engine']}, {', '.join(added['dimensions'])}"
        err.print(f"{name}@{added['version']}: {what}", markup=False)
    if url and not dry_run:
        live.load(name, url, api_key)


def _convert(arguments: list[str]) -> dict[str, Any]:
    """The conversion's JSON report of the added model; its log goes to standard error."""
    import reward_models

    package_folder = Path(next(iter(reward_models.__path__))).parent
    environment = {**os.environ, "PYTHONPATH": str(package_folder)}
    command = [str(_python()), "-W", "ignore", "-m", "reward_models.convert", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise typer.Exit(FAULTY)
    report: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    return report


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
        "converting a checkpoint needs torch and transformers, which are not installed: `make convert` installs them "
        "in a separate environment, `pip install 'reward-gateway[convert]'` in this one; or set "
        f"{PYTHON_VARIABLE} to a Python that has them"
    )
