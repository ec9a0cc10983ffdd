"""``python -m reward_models.convert SOURCE --name NAME``: add a checkpoint to a model repository."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from reward_models.convert import KINDS, Options, Refused
from reward_models.convert.options import ACTIVATIONS, DTYPES, ENGINES, OUTPUTS
from reward_models.repository import REPOSITORY, RepositoryError


def make_parser() -> argparse.ArgumentParser:
    """The argument parser; ``reward-gateway models add`` passes these arguments."""
    parser = argparse.ArgumentParser(
        prog="reward_models.convert", description="Make a checkpoint a model of the repository."
    )
    parser.add_argument("source", help="a checkpoint's folder, or a hub id")
    parser.add_argument("--name", required=True)
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--kind", default="", choices=["", *KINDS])
    parser.add_argument("--revision", default="")
    parser.add_argument("--base", default="")
    parser.add_argument("--engine", default="auto", choices=list(ENGINES))
    parser.add_argument("--trust-remote-code", action="store_true")
    parser.add_argument("--link", action="store_true")
    parser.add_argument("--dtype", default="float32", choices=DTYPES)
    parser.add_argument("--max-length", type=int, default=0)
    parser.add_argument("--template", default="")
    parser.add_argument("--truncate", default="", choices=["", "left", "right", "refuse"])
    parser.add_argument("--dimension", action="append", default=[], dest="dimensions")
    parser.add_argument("--output", default="", choices=["", *OUTPUTS])
    parser.add_argument("--normalize", action="store_true")
    parser.add_argument("--head", type=Path)
    parser.add_argument("--pool", default="last", choices=["last", "mean"])
    parser.add_argument("--activation", default="", choices=["", *ACTIVATIONS])
    parser.add_argument("--step-mark", default="")
    parser.add_argument("--step-split", default="\n\n")
    parser.add_argument("--answer", action="append", default=[], dest="answers")
    parser.add_argument("--label", default="")
    parser.add_argument("--text-only", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="convert and check, but do not publish")
    return parser


def main() -> int:
    """0 if the model was added, 1 with a sentence on the error stream otherwise. The last line of output is JSON."""
    arguments = vars(make_parser().parse_args())
    source, name, repository, dry_run = (arguments.pop(key) for key in ("source", "name", "repository", "dry_run"))
    options = Options(**{**arguments, **{name: tuple(arguments[name]) for name in ("dimensions", "answers")}})
    try:
        from reward_models.convert.add import add_checkpoint

        added = add_checkpoint(
            source, name, repository, options, dry_run=dry_run, say=lambda line: print(line, file=sys.stderr)
        )
    except (Refused, RepositoryError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(added)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
