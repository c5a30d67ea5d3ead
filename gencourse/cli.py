"""The command `gencourse`: start a folder of one's own, train a model; what teachers need stands in
teaching/.

Each command imports what it needs when it is called, so that help and usage errors do not wait for
torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from gencourse import __version__, teaching
from gencourse.console import console, show_findings

HELP = (
    "Learners: start, a folder of your own; train, a model at full scale. Teachers: hand out "
    "exercises, grade what comes back, export and report."
)
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP
)


def say_version(asked: bool) -> None:
    """The edition, and the end."""
    if asked:
        console.print(f"gencourse {__version__}", highlight=False)
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=say_version, help="Say the edition."),
    ] = False,
) -> None:
    """Hand out exercises, grade what comes back, export and report."""


@app.command()
def doctor() -> None:
    """See whether all is well here: Python, packages, device, data; what is off gets a command."""
    from gencourse.doctor import examine

    show_findings(examine())


@app.command()
def start(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Your folder; my-course in the course's folder if none is given."),
    ] = None,
) -> None:
    """Copy the course into a folder of your own; after a `git pull`, bring in the new edition.

    Your answers are carried over, and the notebooks before are kept in earlier/.
    """
    from gencourse.editions import start as starting

    for sentence in starting.start(folder):
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)


@app.command()
def train(
    name: Annotated[
        str, typer.Argument(help="Which model, vae or gpt say; without it all are named.")
    ] = "",
    scale: Annotated[
        str, typer.Option(help="smoke, default or full; full if the data are not those that ship.")
    ] = "",
    data: Annotated[
        str, typer.Option(help="shipped, full (downloads), or the path of the data's files.")
    ] = "shipped",
    steps: Annotated[
        int | None, typer.Option(help="Steps of training; the scale's if none are given.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="In place of steps: as many as fit into these seconds.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batches and noise.")] = 0,
    to: Annotated[
        Path | None, typer.Option(help="The folder of the result; trained/NAME if none is given.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes of this machine that share each batch.")
    ] = 1,
) -> None:
    """Train a chapter's model on its own. Stop it with Ctrl-C; the same command goes on."""
    from gencourse.experiments import folder, run

    path = run.train(
        name,
        scale=scale,
        data=data,
        steps=steps,
        seconds=seconds,
        seed=seed,
        to=to,
        processes=processes,
    )
    if folder.Folder(path).scores() is None:
        raise typer.Exit(130)


for command in teaching.COMMANDS:
    app.command()(command)
