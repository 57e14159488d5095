"""`tuneloop demo`: the whole loop on real messages."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import click

from tuneloop.cli.project import console


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("language-desk"),
    show_default=True,
    help="Where the project is written, yours to keep; a number is added where a demo was played already.",
)
@click.option("--keep", is_flag=True, help="Leave server and loop running at the end, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True, help="Port of the server.")
@click.option("--loop-port", type=click.IntRange(0, 65535), default=3001, show_default=True, help="Port of the loop.")
def demo(folder: Path, keep: bool, port: int, loop_port: int) -> None:
    """A message desk learns new languages: tune, serve, drift, alert, retrain, gate, swap; in a few minutes.

    Everything runs on this machine. Data and weights are those of two small packages; nothing is downloaded.
    """
    from tuneloop.demo.outcome import show
    from tuneloop.demo.project import free_folder
    from tuneloop.demo.story import DemoSettings, play
    from tuneloop.monitoring.stack import free_port

    out = console()
    settings = DemoSettings(free_folder(folder.absolute()), port or free_port(), loop_port or free_port())
    # `kill` must end what the demo started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with play(settings, out) as outcome:
        show(outcome, out)
        if keep:
            out.print("\nEverything runs on until Ctrl-C:")
            for page in (
                f"server: http://127.0.0.1:{settings.serve_port}",
                f"loop: http://127.0.0.1:{settings.loop_port}/status",
                *outcome.pages,
            ):
                out.print(f"  {page}", soft_wrap=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
