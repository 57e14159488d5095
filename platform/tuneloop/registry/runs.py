"""The MLflow run in which a pipeline run is recorded."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tuneloop.registry.entries import Entry
from tuneloop.registry.names import RUN, SHA256
from tuneloop.registry.tracking import fill_run
from tuneloop.registry.versions import versions_of

if TYPE_CHECKING:
    from mlflow import MlflowClient


def experiment_of(client: MlflowClient, name: str, location: str | None) -> str:
    """The id of a model's experiment, made where there is none.

    Args:
        client: Of the store.
        name: The model.
        location: URI of the folder that is to keep its files; None: the server decides.
    """
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=location))


def record_run(
    client: MlflowClient, name: str, entry: Entry, *, experiment: str, keep_artifact: bool, now: datetime
) -> Any:
    """The MLflow run of a pipeline run, found by its tags: a killed attempt may have begun it.

    What an attempt on another host recorded for other files, and no version names, is deleted.

    Args:
        client: Of the store.
        name: The model.
        entry: What the pipeline run registers.
        experiment: Where it is recorded.
        keep_artifact: Whether the artifact's files are kept with it.
        now: The time of its numbers.
    """
    tags = {RUN: entry.run, SHA256: entry.artifact.sha256}
    found = client.search_runs([experiment], f"tags.`{RUN}` = '{entry.run}'")
    named = {version.run_id for version in versions_of(client, name)}
    run = next((one for one in found if one.data.tags.get(SHA256) == entry.artifact.sha256), None)
    for other in found:
        if other is not run and other.info.run_id not in named:
            client.delete_run(other.info.run_id)
    run = run or client.create_run(experiment, run_name=entry.run, tags=tags)
    identity = run.info.run_id
    if run.info.status == "FINISHED":
        return run
    files = [*entry.files, *(() if entry.report is None else (entry.report,))]
    fill_run(
        client,
        run,
        params=entry.params,
        metrics=entry.metrics,
        history=entry.history,
        artifact=entry.artifact.folder if keep_artifact else None,
        files=files,
        now=now,
    )
    return client.get_run(identity)
