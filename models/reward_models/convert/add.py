"""Add a checkpoint to a model repository: fetch, plan, export, compare with torch, publish."""

import ctypes
import dataclasses
import gc
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reward_models.convert import adapters, detect, layouts, refusals, verify, writing
from reward_models.convert.advice import IMAGE_WAYS, OTHER_WAYS
from reward_models.convert.checkpoint import Checkpoint, fetch_checkpoint
from reward_models.convert.engines import plans as engines
from reward_models.convert.errors import NoGraph, Refused
from reward_models.convert.options import Options
from reward_models.convert.pace import tell_pace
from reward_models.convert.plan import Plan
from reward_models.convert.tensors import list_tensors
from reward_models.convert.verify import Measured
from reward_models.repository.versions import NAME, publish_version

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Added:
    """The added model. ``version``: Triton's version number; 0 for a dry run. ``engine``: what runs its network."""

    name: str
    version: int
    kind: str
    engine: str
    dimensions: tuple[str, ...]
    measured: Measured


def add_checkpoint(
    source: str, name: str, repository: Path, options: Options, *, dry_run: bool = False, say: Say = print
) -> Added:
    """Make a checkpoint a model of a repository, or the next version of one.

    Args:
        source: a folder, a hub id, or a file of weights in the layout of another library.
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
    if not repository.is_dir():
        raise Refused(f"There is no folder {repository}: name the model repository.")
    # On the repository's file system, so that the files can be moved into place.
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=repository) as merged:
        checkpoint, options = prepare_checkpoint(source, name, Path(merged), options, say)
        if (adapter := adapters.find_adapter(checkpoint, options.base)) is not None:
            say(f"{name}: merge the adapter")
            checkpoint = adapters.merge_adapter(adapter, fetch_checkpoint(options.base), checkpoint, Path(merged))
        job = Job(checkpoint, name, repository, dry_run, say)
        engine, why = engines.choose_engine(checkpoint, options)
        if why:
            say(f"{name}: by {engine}, as {why}")
        try:
            return job.add(dataclasses.replace(options, engine=engine))
        except NoGraph as error:
            if options.engine != "auto":
                raise
            say(f"{name}: by torch, as there is no graph: {error}")
            return job.add(dataclasses.replace(options, engine="torch"))


def prepare_checkpoint(source: str, name: str, folder: Path, options: Options, say: Say) -> tuple[Checkpoint, Options]:
    """The checkpoint of a source, written to ``folder`` where it is in the layout of another library.

    Returns:
        It, and the options; the base of such a one is no longer among them.

    Raises:
        Refused: there is none, or its layout needs a base that is not named.
    """
    if (file := layouts.find_file(source, options.revision)) is None:
        return fetch_checkpoint(source, options.revision), options
    layout = layouts.find_layout(file)
    if not options.base:
        raise Refused(
            f"{file.name} has the weights alone, in {layout.name}'s layout: name the checkpoint of transformers that "
            f"they were trained on, such as {layout.base}, with --base: it has the configuration and the tokeniser."
        )
    say(f"{name}: rewrite {layout.name}'s layout")
    rewritten = layouts.rewrite_weights(file, source, layout, fetch_checkpoint(options.base), folder)
    return rewritten, dataclasses.replace(options, base="")


@dataclass(frozen=True, slots=True)
class Job:
    """A checkpoint to add to a repository, by one engine or another."""

    checkpoint: Checkpoint
    name: str
    repository: Path
    dry_run: bool
    say: Say

    def add(self, options: Options) -> Added:
        """Add the checkpoint by the engine of ``options``. Raises NoGraph or another Refused, or RepositoryError."""
        name, say, checkpoint = self.name, self.say, self.checkpoint
        options = choose_options(checkpoint, options)

        def tell(line: str) -> None:
            say(f"{name}: {line}")

        say(f"{name}: {options.kind}, {checkpoint.architecture or checkpoint.config.get('model_type')}")
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=self.repository) as staging:
            folder = Path(staging)
            plan = make_plan(engines.load_for(checkpoint, options), options)
            if options.engine != "onnx":
                plan = engines.plan_engine(plan, checkpoint, options)
            say(f"{name}: {len(plan.rows)} rows by torch")
            expected = [plan.reference(row) for row in tell_pace(plan.rows, "rows by torch", tell)]
            say(f"{name}: {'export' if options.engine == 'onnx' else 'the checkpoint, for ' + options.engine}")
            write_files(plan, folder)
            writing.write_files(folder, name, plan)
            # The network is no longer needed, and the runtime reads the weights itself.
            plan = plan.without_network()
            release_memory()
            say(f"{name}: {len(plan.rows)} rows against torch")
            measured = verify.compare_with_torch(plan, expected, folder, options.dtype, tell)
            apart = f"{measured.to_torch:.1e} from torch, {measured.between_batches:.1e} between batches"
            say(f"{name}: at most {apart}, of a spread of {measured.spread:.2g}")
            writing.write_card(folder, name, plan, checkpoint, options, measured)
            version = 0 if self.dry_run else publish_version(self.repository, name, folder, own=True)
        return Added(name, version, options.kind, options.engine, tuple(plan.dimensions), measured)


def release_memory() -> None:
    """Give what is no longer referred to back to the system, where the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def choose_options(checkpoint: Checkpoint, options: Options) -> Options:
    """The options with the kind that the checkpoint is of. Needs no torch.

    Raises:
        Refused: by its configuration or the names of its tensors, the checkpoint would not be converted faithfully.
    """
    engines.check_options(options)
    tensors = list_tensors(checkpoint.folder)
    options = dataclasses.replace(options, kind=detect.kind_of(checkpoint, options.kind, tensors))
    refusals.check_checkpoint(checkpoint, tensors, options)
    return options


def write_files(plan: Plan, folder: Path) -> None:
    """Write a plan's graphs, or the checkpoint's files.

    Raises:
        NoGraph: torch cannot export the network, which an engine may run.
        Refused: the same of a network over images, which no engine runs.
    """
    try:
        plan.write(folder)
    except (Refused, OSError):
        raise
    except Exception as error:  # torch's exporter raises errors of many kinds
        first = str(error).strip().partition("\n")[0]
        refusal, advice = (Refused, IMAGE_WAYS) if plan.network is None else (NoGraph, OTHER_WAYS)
        raise refusal(
            f"The network does not become a graph ({type(error).__name__}: {first[:200]}): {advice}."
        ) from error


def make_plan(checkpoint: Checkpoint, options: Options) -> Plan:
    """The plan of a checkpoint of a known kind."""
    import transformers

    from reward_models.convert import blip, classified_images, clips, gated, marks, siglip, texts

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    if options.kind == "sequence":
        return texts.plan_sequence(checkpoint, options)
    if options.kind == "head":
        return texts.plan_headed(checkpoint, options)
    if options.kind in ("steps", "tokens"):
        return marks.plan_marked(checkpoint, options, options.kind.removesuffix("s"))
    if options.kind == "gated":
        return gated.plan_gated(checkpoint, options)
    if options.kind == "aesthetic":
        return clips.plan_aesthetic(checkpoint, options)
    if options.kind == "siglip":
        return siglip.plan_siglip(checkpoint, options)
    if options.kind == "blip":
        return blip.plan_blip(checkpoint, options)
    if options.kind == "image":
        return classified_images.plan_image(checkpoint, options)
    return clips.plan_clip(checkpoint, options, options.kind)
