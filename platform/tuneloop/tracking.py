"""MLflow, opened so that it says no more than it must."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuneloop.api import MissingExtraError

if TYPE_CHECKING:
    from mlflow import MlflowClient


def quiet_environment() -> dict[str, str]:
    """What keeps MLflow from filling the terminal."""
    return {
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
    }


def open_client(uri: str) -> MlflowClient:
    """A client of the server or store at a URI.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    for name, value in quiet_environment().items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingExtraError("the registry", "mlflow", "train") from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def quiet() -> Iterator[None]:
    """MLflow uses deprecated parts of its own libraries; that is no news for a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
