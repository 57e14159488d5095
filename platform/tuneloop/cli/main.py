"""`tuneloop`: a group that imports a command only when it is asked for, and ends every error in one message."""

from __future__ import annotations

import importlib
import logging
import os
import shlex
import sys
from collections.abc import Sequence

import click

from tuneloop import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("tuneloop.cli.init:init", "Write a commented tuneloop.yaml to start from."),
    "run": ("tuneloop.cli.run:run", "Run the pipeline, from the data to a packaged version."),
    "runs": ("tuneloop.cli.run:runs", "List the project's runs, finished and not."),
    "ui": ("tuneloop.cli.registry:ui", "Open MLflow's page on the project's runs and models."),
    "models": ("tuneloop.cli.registry:models", "List the registered versions and their aliases."),
    "promote": ("tuneloop.cli.registry:promote", "Make a version the champion."),
    "rollback": ("tuneloop.cli.registry:rollback", "Make the previous champion the champion again."),
    "challenge": ("tuneloop.cli.challenge:challenge", "Try a version beside the champion: shadow or canary."),
    "build": ("tuneloop.cli.serve:build", "Package a version as a Bento."),
    "serve": ("tuneloop.cli.serve:serve", "Serve the champion with BentoML."),
    "predict": ("tuneloop.cli.predict:predict", "Answer every record of files, in bulk."),
    "loop": ("tuneloop.cli.loop:loop", "Listen for alerts, retrain, and promote what passes the gate."),
    "erase": ("tuneloop.cli.erase:erase", "Erase one person's rows, or old ones, from the prediction store."),
    "drift": ("tuneloop.cli.drift:drift", "Compare rows at rest with a reference, and say what changed."),
    "accuracy": ("tuneloop.cli.accuracy:accuracy", "Say how right the answers were, by version, from late labels."),
    "dashboards": ("tuneloop.cli.dashboards:dashboards", "Write Grafana dashboards and the rules behind them."),
    "demo": ("tuneloop.cli.demo:demo", "The whole loop on real messages, in a few minutes."),
    "plugins": ("tuneloop.cli.plugins:plugins", "List, explain, check and block plugins."),
    "schema": ("tuneloop.cli.schema:schema", "Print the JSON schema of tuneloop.yaml, for editors."),
    "doctor": ("tuneloop.cli.doctor:doctor", "Check the installation."),
}
"""Command to where it is and its summary. The summaries stand here so that `--help` imports no command."""

EXIT_UNEXPECTED, EXIT_USER, EXIT_STOPPED = 1, 2, 130


class LazyGroup(click.Group):
    """A group whose commands are imported when they are invoked; unknown ones are looked for among plugins.

    Plugins may add commands but not replace any. They are not in `--help`, which would have to import every plugin;
    `tuneloop plugins show tuneloop_cli` lists them.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The built-in commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or find it among those that plugins add."""
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        if ctx.resilient_parsing:
            return None
        from tuneloop.cli.extension import plugin_command

        return plugin_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, with the nearest command for one that does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{guess}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table's summaries, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tuneloop")
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    envvar="TUNELOOP_DEBUG",
    callback=lambda _context, _option, value: _configure_logging(debug=value),
    help="Show tracebacks and debug messages.",
)
def cli() -> None:
    """Fine-tune a model, serve it, watch it, and retune it when the world changes.

    Start with `tuneloop init`, or see everything at work with `tuneloop demo`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, 1 (a fault), 2 (something the user can mend)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(given, prog_name="tuneloop", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = EXIT_USER
    except click.Abort:
        click.echo("stopped", err=True)
        code = EXIT_STOPPED
    except BrokenPipeError:
        # The reader of a pipe left (as in `| head`); what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _explain(error, given)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception, given: list[str]) -> int:
    """Print one message for an error; the traceback only where it was asked for."""
    from tuneloop.api.errors import TuneloopError

    if _debugging():
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    expected = isinstance(error, TuneloopError)
    said = str(error) if expected else f"{type(error).__name__}: {error}"
    click.echo(click.style("error: ", fg="red", bold=True) + said, err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(note, err=True)
    if not expected and not _debugging():
        line = shlex.join(["tuneloop", "--debug", *given])
        click.echo(f"This is a fault in Tuneloop or in a plugin. To see where: {line}", err=True)
    return EXIT_USER if expected else EXIT_UNEXPECTED


def _configure_logging(*, debug: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_PlainFormatter())
    logger = logging.getLogger("tuneloop")
    logger.handlers[:] = [handler]
    # Libraries that set up the root logger would print every line again.
    logger.propagate = False
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)


def _debugging() -> bool:
    return logging.getLogger("tuneloop").level == logging.DEBUG


class _PlainFormatter(logging.Formatter):
    """`warning: text`; tracebacks only when debugging."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        if record.exc_info and _debugging():
            text += "\n" + self.formatException(record.exc_info)
        return text


if __name__ == "__main__":
    main()
