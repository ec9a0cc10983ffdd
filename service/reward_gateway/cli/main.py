"""``reward-gateway``: the commands; :data:`.output.EXIT_CODES` says what their exit codes mean."""

import sys

import typer

from reward_gateway import __version__

from . import catalog, docs, evaluate, judges, models, redteam, rewards, runs, samples, score, state, upstreams, usage
from .doctor.command import doctor
from .examples import add_examples
from .output import FAULTY, INTERRUPTED, REFUSED, UNUSABLE, log_to_stderr, print_error
from .serve import serve
from .serve_flags import GroupedCommand

app = typer.Typer(
    name="reward-gateway",
    help="One URL for every reward an RL run needs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(cls=GroupedCommand)(serve)
app.command(cls=GroupedCommand)(doctor)
app.command("score")(score.score)
app.command("evaluate")(evaluate.evaluate)
app.command("redteam")(redteam.redteam)
app.command("catalog")(catalog.catalog)
app.command("usage")(usage.usage)
app.add_typer(models.app, name="models")
app.add_typer(rewards.app, name="rewards")
app.add_typer(judges.app, name="judges")
app.add_typer(runs.app, name="runs")
app.add_typer(samples.app, name="samples")
app.add_typer(state.app, name="state")
app.add_typer(upstreams.app, name="upstreams")
app.add_typer(docs.app, name="docs")
add_examples(app)


@app.callback(invoke_without_command=True)
def start(
    show: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """One URL for every reward an RL run needs."""
    log_to_stderr()
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; every expected failure becomes one sentence and an exit code."""
    from reward_gateway.errors import GatewayError, InvalidRecipe
    from reward_gateway.extras import MissingExtra
    from reward_gateway.intake.sample_files import UnreadableFile

    from .output import Unusable

    try:
        app()
    except (Unusable, UnreadableFile, MissingExtra) as error:
        print_error(str(error))
        sys.exit(UNUSABLE)
    except InvalidRecipe as error:
        print_error(error.message)
        sys.exit(FAULTY)
    except GatewayError as error:
        print_error(f"{error.message} ({error.code})")
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
