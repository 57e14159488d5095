"""MLflow, opened so that it says no more than it must."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import MissingExtraError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACT = "artifact"
"""The folder of a run's files that holds its artifact."""
_BATCH = 900
"""Metrics a request: MLflow takes 1,000."""


def quiet_environment() -> dict[str, str]:
    """What keeps MLflow from filling the terminal, and from waiting minutes for a server that is not there."""
    return {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # It would print the address with the password in it.
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }


def open_client(uri: str) -> MlflowClient:
    """A client of the server or store at a URI.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    quieten()
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingExtraError("the registry", "mlflow", "train") from error
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def quieten() -> None:
    """Keep MLflow from telling the terminal what it does, for as long as this process lives."""
    for name, value in quiet_environment().items():
        os.environ.setdefault(name, value)
    # Importing it sets the level of its loggers, unless the environment names one.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Each retry; where the last one fails, the error says it.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@contextmanager
def quiet() -> Iterator[None]:
    """MLflow uses deprecated parts of its own libraries; that is no news for a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fill_run(
    client: MlflowClient,
    run: Any,
    *,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    history: Sequence[Mapping[str, float]],
    artifact: Path | None,
    files: Sequence[Path],
    now: datetime,
) -> None:
    """Record what a run is and gave, and end it. What a killed attempt recorded of the same is written once more.

    Args:
        client: Of the server or store.
        run: The MLflow run.
        params: Shown with it; values are cut at 500 characters.
        metrics: Final numbers.
        history: One record an epoch.
        artifact: Folder to keep as `ARTIFACT`; None: it is kept elsewhere.
        files: Files and folders to keep beside it.
        now: The time of the numbers.
    """
    from mlflow.entities import Metric, Param

    identity, moment = run.info.run_id, int(now.timestamp() * 1000)
    points = [Metric(_key(name), value, moment, 0) for name, value in metrics.items()]
    for place, record in enumerate(history):
        points += [Metric(_key(f"epoch/{name}"), value, moment, place) for name, value in record.items()]
    # One that was logged must not change, as a plugin's version may between two attempts.
    named = {_key(name): value for name, value in params.items()}
    shown = [Param(name, str(value)[:500]) for name, value in named.items() if name not in run.data.params]
    for start in range(0, max(len(points), 1), _BATCH):
        client.log_batch(identity, metrics=points[start : start + _BATCH], params=shown if not start else [])
    if artifact is not None:
        client.log_artifacts(identity, str(artifact), ARTIFACT)
    for path in files:
        if path.is_dir():
            client.log_artifacts(identity, str(path), path.name)
        else:
            client.log_artifact(identity, str(path))
    client.set_terminated(identity)


def _key(name: str) -> str:
    """The name as MLflow takes it: `transforms[2].noise` becomes `transforms.2.noise`."""
    return re.sub(r"[^\w\-. :/]", "_", re.sub(r"\[(\d+)\]", r".\1", name))
