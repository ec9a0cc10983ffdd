"""``python -m reward_models.build --repository DIR [NAME…]``: build, check or stamp models without the gateway."""

import argparse
import shutil
import sys
from pathlib import Path

from reward_models.build import build_model, check_model, is_built, stamp_model, tiers
from reward_models.repository import REPOSITORY, RepositoryError, list_models, placement, versions


def main() -> int:
    """Returns 0 on success, otherwise 1 with the errors on standard error."""
    parser = argparse.ArgumentParser(prog="reward_models.build", description="Build the model repository.")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--check", action="store_true", help="hash every file and compare cards with configurations")
    parser.add_argument("--stamp", action="store_true", help="write what the cards say into config.pbtxt")
    parser.add_argument("--all", action="store_true", help="include the extra tier")
    parser.add_argument(
        "--remove-unbuilt",
        action="store_true",
        help="remove the models of the extra tier that are not built: a server told to load all would fail over them",
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), help="where Triton runs the repository's models from now on"
    )
    parser.add_argument("--gpus", type=int, nargs="+", default=[], help="numbers of the GPUs; default: all")
    parser.add_argument("--gpu-instances", type=int, default=1, help="instances of a model on each GPU")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    faults = 0
    every = arguments.all or arguments.check or arguments.stamp
    for name in arguments.names or (list_models if every else tiers.list_default)(arguments.repository):
        try:
            if arguments.stamp:
                stamp_model(name, arguments.repository)
            elif arguments.check:
                for fault in check_model(name, arguments.repository):
                    faults += 1
                    print(f"{name}: {fault}", file=sys.stderr)
            elif not is_built(name, arguments.repository):
                build_model(name, arguments.repository, print)
        except RepositoryError as error:
            faults += 1
            print(f"{name}: {error}", file=sys.stderr)
    if arguments.remove_unbuilt and not faults:
        for name in tiers.list_unbuilt_extra(arguments.repository):
            print(f"{name}: is not built, removed")
            shutil.rmtree(arguments.repository / name)
    if arguments.device and not faults:
        on_gpu = arguments.device == "gpu"
        placed = placement.Placement(arguments.gpu_instances, tuple(arguments.gpus)) if on_gpu else None
        versions.set_placement(arguments.repository, placed)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
