"""One project file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tuneloop.config.card_shape import Card
from tuneloop.config.project.data import Data
from tuneloop.config.project.delivery import Export, Gate, Serve
from tuneloop.config.project.rollout import Rollout
from tuneloop.config.project.training import Evaluate, Launch, Model, Tune
from tuneloop.config.project.watching import Monitor, Retrain
from tuneloop.config.search import Candidates, Search
from tuneloop.monitoring.store_policy import KEEP_ALL, StorePolicy


@dataclass(frozen=True, slots=True)
class Project:
    """One project file.

    Attributes:
        root: The folder of the file, absolute; relative paths are relative to it.
        source_sha256: Hash of the file's bytes, in hexadecimal.
        requires_plugins: The distributions with plugins that must be installed, each with its versions.
        launch: Where training runs; None: in this process.
        storage: Absolute path or fsspec URL where artifacts, channel and checkpoints are kept too; None: nowhere.
        search: Options that are looked for; None: none.
        candidates: Base models to choose from, of which `model` is the first; None where the project names one, or
            one was chosen.
    """

    name: str
    root: Path
    task: str
    data: Data
    model: Model
    tune: Tune
    evaluate: Evaluate
    gate: Gate
    export: Export
    serve: Serve
    monitor: Monitor
    retrain: Retrain
    source_sha256: str
    requires_plugins: tuple[str, ...] = ()
    store: StorePolicy = KEEP_ALL
    rollout: Rollout = field(default_factory=Rollout)
    launch: Launch | None = None
    card: Card = field(default_factory=Card)
    storage: str | None = None
    search: Search | None = None
    candidates: Candidates | None = None

    @property
    def state(self) -> Path:
        """The folder of everything Tuneloop writes for this project."""
        return self.root / ".tuneloop"
