"""`tuneloop challenge`."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from tuneloop.cli import project as shared


@click.command()
@shared.project_option
@click.argument("version", required=False)
@click.option("--shadow", is_flag=True, help="It answers too, and nobody sees its answers.")
@click.option(
    "--canary",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="It answers this share of the requests, such as 0.1.",
)
@click.option("--by", metavar="COLUMN", help="With --canary: equal values in this column always ask the same version.")
@click.option("--stop", is_flag=True, help="Try no version any more.")
@click.option("--why", required=True, help="For what reason; it is recorded.")
@click.option("--who", default=None, help="Who does it; by default the user of this terminal.")
def challenge(
    project: Path | None,
    version: str | None,
    shadow: bool,
    canary: float | None,
    by: str | None,
    stop: bool,
    why: str,
    who: str | None,
) -> None:
    """Try VERSION (a number, or an alias such as challenger) beside the champion; running servers take it.

    Metrics tell the two apart. The header x-tuneloop-key comes before --by; without either, chance shares out requests.
    `promote` and `rollback` end a trial too.
    """
    if (shadow, canary is not None, stop).count(True) != 1:
        raise click.UsageError("say one of --shadow, --canary SHARE and --stop")
    if (version is None) != stop:
        raise click.UsageError("--stop takes no VERSION" if stop else "say which VERSION to try")
    if by is not None and canary is None:
        raise click.UsageError("--by shares out requests, so it needs --canary SHARE")
    loaded, _ = shared.load(project)
    from tuneloop.pipeline.promoting.challenge import Trial, stop_challenge
    from tuneloop.pipeline.promoting.challenge import challenge as do

    doer = who or getpass.getuser()
    if version is None:
        move = stop_challenge(loaded, who=doer, why=why)
        click.echo(f"version {move.version} of {loaded.name} is not tried any more; {move.previous} answers alone")
        return
    trial = Trial("shadow") if canary is None else Trial("canary", canary, by)
    move = do(loaded, version, trial, who=doer, why=why)
    how = "in the shadow" if canary is None else f"as a canary for {canary:.4g} of the requests"
    click.echo(f"version {move.version} of {loaded.name} is tried beside the champion {move.previous}, {how}")
