"""The MLflow store of a project: where it is, a client of it, and what is said where it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import ArtifactError, MissingExtraError, RegistryError
from tuneloop.monitoring.postgres import without_password
from tuneloop.registry.making import make_whole
from tuneloop.registry.tracking import open_client, quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FILE = "mlflow.db"


class Store:
    """A server that `MLFLOW_TRACKING_URI` names, or a SQLite file in the folder of a project's state."""

    def __init__(self, state: Path) -> None:
        """Nothing is opened yet."""
        self._state = state
        self._opened: MlflowClient | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a server, or a database beyond the project."""
        return bool(os.environ.get("MLFLOW_TRACKING_URI"))

    @property
    def uri(self) -> str:
        """Where it is."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self._state / _FILE}"

    @property
    def artifacts(self) -> Path:
        """Where a local one keeps files."""
        return self._state / "mlflow"

    def exists(self) -> bool:
        """Whether there is one to read; reading must not make one."""
        return self.is_elsewhere or (self._state / _FILE).exists()

    @contextmanager
    def client(self) -> Iterator[MlflowClient]:
        """A client of it, opened on first use.

        Raises:
            RegistryError: What is done with it failed for the store's sake; names it without its password.
            MissingExtraError: MLflow is not installed.
        """
        with quiet():
            try:
                if self._opened is None:
                    if not self.is_elsewhere:
                        make_whole(self._state / _FILE)
                    self._opened = open_client(self.uri)
                yield self._opened
            except (RegistryError, MissingExtraError, ArtifactError):
                raise
            except Exception as error:
                foreign = ("mlflow", "sqlalchemy", "requests", "urllib3")
                if not isinstance(error, OSError) and not type(error).__module__.startswith(foreign):
                    raise
                raise RegistryError(f"the registry at {self._shown} cannot be used: {self._said(error)}") from error

    @property
    def _shown(self) -> str:
        return without_password(self.uri)

    def _said(self, error: Exception) -> str:
        """What a library says, which may quote the address with its password."""
        return " ".join(str(error).replace(self.uri, self._shown).split())
