"""Versions of a model as MLflow keeps them: listed, read, made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tuneloop.registry.entries import Entry, Version
from tuneloop.registry.names import GATE, PLACE, RUN, SHA256, attempt_tag
from tuneloop.registry.tracking import ARTIFACT
from tuneloop.storage import is_url

if TYPE_CHECKING:
    from mlflow import MlflowClient


def versions_of(client: MlflowClient, name: str) -> list[Any]:
    """MLflow's versions of a model, which is made where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name)
        return []
    return list(client.search_model_versions(f"name = '{name}'", max_results=1000))


def aliases_of(client: MlflowClient, name: str) -> dict[str, str]:
    """Alias to the number of its version."""
    return {alias: str(number) for alias, number in client.get_registered_model(name).aliases.items()}


def read_version(client: MlflowClient, name: str, version: Any) -> Version:
    """One of MLflow's versions with its aliases, and the metrics of the run that made it."""
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    number = str(version.version)
    return Version(
        number=number,
        sha256=version.tags.get(SHA256, ""),
        run=version.tags.get(RUN, ""),
        gate=version.tags.get(GATE, ""),
        aliases=tuple(sorted(a for a, n in aliases_of(client, name).items() if n == number)),
        created=f"{created:%Y-%m-%dT%H:%M:%SZ}",
        metrics=dict(client.get_run(version.run_id).data.metrics) if version.run_id else {},
    )


def record_version(client: MlflowClient, name: str, entry: Entry, run: Any, place: str | None) -> str:
    """The number of the version with an entry's artifact, made where there is none.

    Args:
        client: Of the store.
        name: The model.
        entry: What the pipeline run registers.
        run: The MLflow run that it is recorded in.
        place: Where the project's storage keeps the artifact; None: MLflow does.
    """
    sha256 = entry.artifact.sha256
    known = next((one for one in versions_of(client, name) if one.tags.get(SHA256) == sha256), None)
    gate = {GATE: "passed" if entry.passed else "refused"}
    attempt = {} if entry.against is None else {attempt_tag(entry.against[0]): str(entry.against[1])}
    more = attempt if place is None else {**attempt, PLACE: place}
    if known is None:
        # All at once: a version that is half described is never there.
        tags = {SHA256: sha256, RUN: entry.run, **gate, **more}
        source = place if place and is_url(place) else f"{run.info.artifact_uri}/{ARTIFACT}"
        return str(client.create_model_version(name, source, run.info.run_id, tags=tags).version)
    number = str(known.version)
    for tag, value in {**gate, **more}.items():
        client.set_model_version_tag(name, number, tag, value)
    return number
