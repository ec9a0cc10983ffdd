"""Add a checkpoint to a model repository: fetch, plan, export, compare with torch, publish."""

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reward_models.convert import detect, verify, writing
from reward_models.convert.checkpoint import Checkpoint, fetch_checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan
from reward_models.convert.verify import Measured
from reward_models.repository.versions import NAME, publish_version

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Added:
    """The added model. ``version``: Triton's version number; 0 for a dry run."""

    name: str
    version: int
    kind: str
    dimensions: tuple[str, ...]
    measured: Measured


def add_checkpoint(
    source: str, name: str, repository: Path, options: Options, *, dry_run: bool = False, say: Say = print
) -> Added:
    """Make a checkpoint a model of a repository, or the next version of one.

    Args:
        source: a folder, or a hub id.
        name: of the model.
        repository: the model repository.
        options: choices that the checkpoint does not determine.
        dry_run: convert and check, but do not publish.
        say: called with a line per step.

    Raises:
        Refused: it cannot be converted faithfully; the message says why.
        reward_models.repository.RepositoryError: it does not match the existing versions of that name.
    """
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r} is not a valid name: use letters, digits, dots, dashes and underscores.")
    if options.dtype not in verify.TOLERANCES:
        raise Refused(f"--dtype is {options.dtype!r}: give one of {', '.join(verify.TOLERANCES)}.")
    checkpoint = fetch_checkpoint(source, options.revision)
    kind = detect.kind_of(checkpoint, options.kind)
    say(f"{name}: {kind}, {checkpoint.architecture or checkpoint.config.get('model_type')}")
    plan = make_plan(checkpoint, dataclasses.replace(options, kind=kind))
    # On the repository's file system, so that the files can be moved into place.
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=repository) as staging:
        folder = Path(staging)
        say(f"{name}: export")
        plan.write(folder)
        writing.write_files(folder, name, plan)
        say(f"{name}: {len(plan.rows)} rows against torch")
        measured = verify.compare_with_torch(plan, folder, options.dtype)
        apart = f"{measured.to_torch:.1e} from torch, {measured.between_batches:.1e} between batches"
        say(f"{name}: at most {apart}, of a spread of {measured.spread:.2g}")
        writing.write_card(folder, name, plan, checkpoint, options, measured)
        version = 0 if dry_run else publish_version(repository, name, folder)
    return Added(name, version, kind, tuple(plan.dimensions), measured)


def make_plan(checkpoint: Checkpoint, options: Options) -> Plan:
    """The plan of a checkpoint of a known kind."""
    import transformers

    from reward_models.convert import clips, marks, texts

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    if options.kind == "sequence":
        return texts.plan_sequence(checkpoint, options)
    if options.kind == "head":
        return texts.plan_headed(checkpoint, options)
    if options.kind in ("steps", "tokens"):
        return marks.plan_marked(checkpoint, options, options.kind.removesuffix("s"))
    if options.kind == "aesthetic":
        return clips.plan_aesthetic(checkpoint, options)
    return clips.plan_clip(checkpoint, options, options.kind)
