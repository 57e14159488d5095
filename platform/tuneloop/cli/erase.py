"""`tuneloop erase`: one person's rows, or old ones, out of the prediction store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli.project import load, project_option

if TYPE_CHECKING:
    from tuneloop.monitoring.store import PredictionStore


@click.command()
@click.argument("subject", required=False)
@click.option("--older-than", metavar="TIME", help="Instead of a subject: all that is older than this, such as 90d.")
@project_option
def erase(subject: str | None, older_than: str | None, project: Path | None) -> None:
    """Erase what is kept of SUBJECT: predictions, labels, shadow answers, and rows frozen for retraining.

    SUBJECT is what requests carried in their header x-tuneloop-subject. Erasing again changes nothing more. What models
    have learned stays in their weights.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from tuneloop.loop.erasure import erase_subject
    from tuneloop.monitoring.store import PredictionStore
    from tuneloop.serving.server import default_store_url

    if (subject is None) == (older_than is None):
        raise click.UsageError("Name either a SUBJECT or --older-than TIME.")
    chosen, _ = load(project)
    store = PredictionStore(default_store_url(chosen.state))
    try:
        if older_than is not None:
            _erase_old(store, chosen.name, _seconds(older_than))
            return
        assert subject is not None
        done = erase_subject(store, chosen.state, subject)
    except (SQLAlchemyError, OSError) as error:
        raise click.ClickException(f"not everything was erased; erase again. {error}") from error
    finally:
        store.close()
    click.echo(f"erased {done.predictions} predictions of {subject!r}, and {done.frozen} rows frozen for retraining")
    if done.runs:
        click.echo(f"these runs have learned from them: {', '.join(done.runs)}. Their models keep what they learned;")
        click.echo("`tuneloop runs --prune` removes what their steps left behind.")


def _erase_old(store: PredictionStore, model: str, seconds: float) -> None:
    from tuneloop.monitoring.retention import expire

    gone, before = 0, time.time() - seconds
    while batch := expire(store, model, before):
        gone += batch
    click.echo(f"erased {gone} predictions and lone labels")


def _seconds(text: str) -> float:
    from tuneloop.config.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from error
