"""An example of each command, which its ``--help`` and the guide's reference show."""

from collections.abc import Iterator, Mapping

import typer

EXAMPLES: Mapping[str, str] = {
    "serve": "reward-gateway serve --http-port 9090 --rewards-file rewards.yaml",
    "doctor": "reward-gateway doctor --url http://127.0.0.1:8080",
    "score": "reward-gateway score samples.jsonl --reward helpful --out scored.jsonl --url http://127.0.0.1:8080",
    "evaluate": "reward-gateway evaluate pairs.jsonl --reward helpful --min-accuracy 0.7 --url http://127.0.0.1:8080",
    "redteam": "reward-gateway redteam --reward helpful --attack master_key --url http://127.0.0.1:8080",
    "catalog": "reward-gateway catalog --kind transform --json",
    "usage": "reward-gateway usage --from 2026-01-01 --csv --url http://127.0.0.1:8080",
    "models add": "reward-gateway models add ./checkpoint --name helpfulness --template chat",
    "models fetch": "reward-gateway models fetch s3://models/deberta --into /fetched --kind model --sha256 HEX",
    "models evaluate": "reward-gateway models evaluate text_preference",
    "models known": "reward-gateway models known skywork",
    "models load": "reward-gateway models load helpfulness --url http://127.0.0.1:8080",
    "models unload": "reward-gateway models unload helpfulness@2 --url http://127.0.0.1:8080",
    "models versions": "reward-gateway models versions helpfulness --url http://127.0.0.1:8080",
    "models rollback": "reward-gateway models rollback helpfulness --url http://127.0.0.1:8080",
    "models list": "reward-gateway models list --url http://127.0.0.1:8080",
    "models build": "reward-gateway models build text_preference",
    "models check": "reward-gateway models check",
    "rewards list": "reward-gateway rewards list --url http://127.0.0.1:8080",
    "rewards show": "reward-gateway rewards show helpful --recipes rewards.yaml",
    "rewards check": "reward-gateway rewards check rewards.yaml --data samples.jsonl --reward helpful",
    "judges check": "reward-gateway judges check strict --data labelled.jsonl --judges judges.yaml",
    "runs list": "reward-gateway runs list --url http://127.0.0.1:8080",
    "runs show": "reward-gateway runs show grpo-7b --bucket step --url http://127.0.0.1:8080",
    "runs report": "reward-gateway runs report grpo-7b --html grpo-7b.html --url http://127.0.0.1:8080",
    "runs forget": "reward-gateway runs forget grpo-7b --url http://127.0.0.1:8080",
    "samples list": "reward-gateway samples list --run grpo-7b --kind bottom --url http://127.0.0.1:8080",
    "samples mark": "reward-gateway samples mark 01JD8Z hack --url http://127.0.0.1:8080",
    "samples export": "reward-gateway samples export --out pairs.jsonl --run grpo-7b --url http://127.0.0.1:8080",
    "samples delete": "reward-gateway samples delete --run grpo-7b --url http://127.0.0.1:8080",
    "state list": "reward-gateway state list --run grpo-7b --url http://127.0.0.1:8080",
    "state runs": "reward-gateway state runs --url http://127.0.0.1:8080",
    "state show": "reward-gateway state show moments helpfulness --run grpo-7b --url http://127.0.0.1:8080",
    "state reset": "reward-gateway state reset moments helpfulness --run grpo-7b --url http://127.0.0.1:8080",
    "state reset-run": "reward-gateway state reset-run grpo-7b --url http://127.0.0.1:8080",
    "state migrate": "reward-gateway state migrate --run grpo-7b --url http://127.0.0.1:8080",
    "state accept-reset": "reward-gateway state accept-reset --url http://127.0.0.1:8080",
    "upstreams check": "reward-gateway upstreams check upstreams.yaml --offline",
    "docs build": "reward-gateway docs build site",
}
"""Command, without the program's name -> a command line that it takes."""


def add_examples(app: typer.Typer) -> None:
    """Show each command's example below its help."""
    for name, command in _list_commands(app):
        if name in EXAMPLES:
            command.epilog = f"\b\nExample:\n  {EXAMPLES[name]}"


def _list_commands(app: typer.Typer) -> Iterator[tuple[str, typer.models.CommandInfo]]:
    for command in app.registered_commands:
        function = command.callback.__name__ if command.callback is not None else ""
        yield command.name or function.replace("_", "-"), command
    for group in app.registered_groups:
        for name, command in _list_commands(group.typer_instance) if group.typer_instance is not None else ():
            yield f"{group.name} {name}", command
