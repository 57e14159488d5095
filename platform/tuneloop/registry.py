"""The model registry, on MLflow: versions of a project's model, their aliases, and who moved them when and why."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlparse

from tuneloop.api import ArtifactError, MissingExtraError, RegistryError
from tuneloop.artifact import MANIFEST, Artifact
from tuneloop.tracking import open_client, quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_RUN, _SHA256, _GATE = "tuneloop.run", "tuneloop.sha256", "tuneloop.gate"
_ATTEMPT = "tuneloop.attempt."
_HISTORY = "tuneloop.history"
_ARTIFACT = "artifact"
_KEPT_MOVES = 50
_BATCH = 900


class Named(Protocol):
    """What the registry needs of a project: the model's name, and the folder of its state."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def state(self) -> Path:
        """The folder of everything Tuneloop writes for the project."""


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version.

    Attributes:
        number: Its number, from 1.
        sha256: Of its artifact.
        run: The pipeline run that made it.
        gate: `passed` or `refused`.
        aliases: Such as `champion`.
        created: When, ISO 8601 in UTC.
        metrics: Of the served variant on the test split.
    """

    number: str
    sha256: str
    run: str
    gate: str
    aliases: tuple[str, ...]
    created: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Move:
    """What was done: `promote`, `rollback`, or a challenger's `shadow`, `canary` or `stop`; who did it, when and why.

    `previous` is the champion before, or the one that is challenged.
    """

    kind: str
    version: str
    previous: str | None
    who: str
    when: str
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a pipeline run registers.

    Attributes:
        run: The run's id.
        artifact: The sealed artifact.
        passed: Whether the gate accepted it.
        params: Shown as parameters of the MLflow run.
        metrics: Final numbers.
        history: One record an epoch; each has `epoch`.
        report: The HTML report.
        against: SHA-256 of the champion it was judged against, and the number of that attempt; None: of none.
    """

    run: str
    artifact: Artifact
    passed: bool
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()
    report: Path | None = None
    against: tuple[str, int] | None = None


class Registry:
    """The versions of one project's model."""

    def __init__(self, project: Named, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Nothing is opened yet.

        Args:
            project: Names the model; the store lies in its state folder, unless `MLFLOW_TRACKING_URI` names one.
            clock: The time, in UTC.
        """
        self.name, self._state, self._clock = project.name, project.state, clock
        self._opened: MlflowClient | None = None

    @property
    def uri(self) -> str:
        """Where the store is."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self._state / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Where a local store keeps files."""
        return self._state / "mlflow"

    def register(self, entry: Entry) -> Version:
        """Record a run and its version; asked again for the same run or an equal artifact, give the one there is.

        Raises:
            RegistryError: The store cannot be reached.
        """
        with self._client() as client:
            found = self._record_run(client, entry)
            sha256 = entry.artifact.sha256
            known = [v for v in self._versions(client) if v.tags.get(_SHA256) == sha256]
            gate = "passed" if entry.passed else "refused"
            if known:
                version = known[0]
                client.set_model_version_tag(self.name, version.version, _GATE, gate)
            else:
                tags = {_SHA256: sha256, _GATE: gate, _RUN: entry.run}
                source = f"{found.info.artifact_uri}/{_ARTIFACT}"
                version = client.create_model_version(self.name, source, found.info.run_id, tags=tags)
            number = str(version.version)
            if entry.against is not None:
                champion, attempt = entry.against
                client.set_model_version_tag(self.name, str(version.version), _attempt_tag(champion), str(attempt))
            aliases = self._aliases(client)
            if entry.passed and aliases.get(CHAMPION) != number:
                client.set_registered_model_alias(self.name, CHALLENGER, number)
            return self._read(client, client.get_model_version(self.name, number))

    def attempt(self, champion: str, challenger: str) -> int:
        """Which attempt at a champion it is to judge a challenger against it, from 1; both are SHA-256 of artifacts.

        Refused versions are registered with the number of their attempt, so that the count outlives runs, loops and
        machines. A challenger that was judged before keeps its number: looking twice is no second attempt.
        """
        if not self._exists():
            return 1
        with self._client() as client:
            tag = _attempt_tag(champion)
            numbers = {
                version.tags.get(_SHA256): int(version.tags[tag])
                for version in self._versions(client)
                if version.tags.get(tag, "").isdecimal()
            }
        return numbers.get(challenger, max(numbers.values(), default=0) + 1)

    def versions(self) -> tuple[Version, ...]:
        """All versions, newest first."""
        if not self._exists():
            return ()
        with self._client() as client:
            found = [self._read(client, version) for version in self._versions(client)]
        return tuple(sorted(found, key=lambda version: int(version.number), reverse=True))

    def find(self, wanted: str) -> Version | None:
        """The version with this number or alias; None where there is none."""
        return next((v for v in self.versions() if v.number == wanted or wanted in v.aliases), None)

    def resolve(self, wanted: str) -> Version:
        """The version with this number or alias.

        Raises:
            RegistryError: There is none; lists the known ones.
        """
        found = self.find(wanted)
        if found is None:
            versions = self.versions()
            known = [v.number for v in versions] + sorted(a for v in versions for a in v.aliases)
            listed = ", ".join(known) or "none, `tuneloop run` makes one"
            raise RegistryError(f"model {self.name!r} has no version {wanted!r}; known: {listed}")
        return found

    def promote(self, wanted: str, who: str, why: str) -> Move:
        """Make a version the champion; the one before becomes `previous`.

        Raises:
            RegistryError: There is no such version, or it is the champion already.
        """
        version, before = self.resolve(wanted), self.find(CHAMPION)
        if before is not None and before.number == version.number:
            raise RegistryError(f"version {version.number} of {self.name!r} is the champion already")
        return self._move("promote", version.number, before.number if before else None, who, why)

    def rollback(self, who: str, why: str) -> Move:
        """Make the previous champion the champion again; the two change places.

        Raises:
            RegistryError: There is no previous champion.
        """
        before, version = self.find(CHAMPION), self.find(PREVIOUS)
        if before is None or version is None:
            raise RegistryError(f"model {self.name!r} has no previous champion to go back to; see `tuneloop models`")
        return self._move("rollback", version.number, before.number, who, why)

    def challenge(self, kind: str, wanted: str, who: str, why: str) -> Move:
        """Record that a version is tried beside the champion, or no more; one that is tried becomes `challenger`.

        Args:
            kind: `shadow`, `canary`, or `stop`.
            wanted: A version number or alias.
            who: Who does it.
            why: For what reason.

        Raises:
            RegistryError: There is no such version, or no champion, or it is the champion.
        """
        version, champion = self.resolve(wanted), self.resolve(CHAMPION)
        if version.number == champion.number:
            raise RegistryError(f"version {version.number} of {self.name!r} is the champion; try another one beside it")
        move = Move(kind, version.number, champion.number, who, f"{self._clock():%Y-%m-%dT%H:%M:%SZ}", why)
        with self._client() as client:
            if kind != "stop":
                client.set_registered_model_alias(self.name, CHALLENGER, version.number)
            self._note(client, move)
        return move

    def history(self) -> tuple[Move, ...]:
        """Who moved the champion, or tried a challenger, when and why, oldest first."""
        if not self._exists():
            return ()
        with self._client() as client:
            tags = client.get_registered_model(self.name).tags
        return tuple(Move(**move) for move in json.loads(tags.get(_HISTORY, "[]")))

    def fetch(self, wanted: str) -> Artifact:
        """The artifact of a version, verified, in a local folder.

        Raises:
            RegistryError: There is no such version, or its files cannot be had, or they are not those registered.
        """
        version = self.resolve(wanted)
        with self._client() as client:
            source = str(client.get_model_version(self.name, version.number).source)
            local = _local(source)
            if local is None or not (local / MANIFEST).is_file():
                local = self._download(source, version.sha256)
        artifact = Artifact.open(local)
        if artifact.sha256 != version.sha256:
            raise RegistryError(
                f"version {version.number} of {self.name!r} was registered with SHA-256 {version.sha256}; "
                f"the files in {local} have {artifact.sha256}"
            )
        return artifact

    def _download(self, source: str, sha256: str) -> Path:
        import mlflow

        target = self._state / "artifacts" / sha256
        if not (target / MANIFEST).is_file():
            half = target.with_suffix(".half")
            half.mkdir(parents=True, exist_ok=True)
            found = Path(
                mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(half), tracking_uri=self.uri)
            )
            found.rename(target)
        return target

    def _move(self, kind: str, version: str, previous: str | None, who: str, why: str) -> Move:
        move = Move(kind, version, previous, who, f"{self._clock():%Y-%m-%dT%H:%M:%SZ}", why)
        with self._client() as client:
            aliases = self._aliases(client)
            if previous is not None:
                client.set_registered_model_alias(self.name, PREVIOUS, previous)
            client.set_registered_model_alias(self.name, CHAMPION, version)
            if aliases.get(CHALLENGER) == version:
                client.delete_registered_model_alias(self.name, CHALLENGER)
            self._note(client, move)
        return move

    def _note(self, client: MlflowClient, move: Move) -> None:
        tags = client.get_registered_model(self.name).tags
        moves = [*json.loads(tags.get(_HISTORY, "[]")), {name: getattr(move, name) for name in Move.__slots__}]
        client.set_registered_model_tag(self.name, _HISTORY, json.dumps(moves[-_KEPT_MOVES:]))

    def _record_run(self, client: MlflowClient, entry: Entry) -> Any:
        """The MLflow run of a pipeline run, found by its tag: a killed attempt may have begun it."""
        from mlflow.entities import Metric, Param

        experiment = self._experiment(client)
        found = client.search_runs([experiment], f"tags.`{_RUN}` = '{entry.run}'", max_results=1)
        run = found[0] if found else client.create_run(experiment, run_name=entry.run, tags={_RUN: entry.run})
        identity = run.info.run_id
        if run.info.status == "FINISHED":
            return run
        now = int(self._clock().timestamp() * 1000)
        metrics = [Metric(name, value, now, 0) for name, value in entry.metrics.items()]
        for place, record in enumerate(entry.history):
            metrics += [Metric(f"epoch/{name}", value, now, place) for name, value in record.items()]
        params = [Param(name, str(value)[:500]) for name, value in entry.params.items()]
        for start in range(0, max(len(metrics), 1), _BATCH):
            client.log_batch(identity, metrics=metrics[start : start + _BATCH], params=params if not start else [])
        client.set_tag(identity, _SHA256, entry.artifact.sha256)
        client.log_artifacts(identity, str(entry.artifact.folder), _ARTIFACT)
        if entry.report is not None:
            client.log_artifact(identity, str(entry.report))
        client.set_terminated(identity)
        return client.get_run(identity)

    def _experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self.name)
        if found is not None:
            return str(found.experiment_id)
        location = None if os.environ.get("MLFLOW_TRACKING_URI") else self.artifacts.resolve().as_uri()
        return str(client.create_experiment(self.name, artifact_location=location))

    def _versions(self, client: MlflowClient) -> list[Any]:
        from mlflow.exceptions import MlflowException

        try:
            client.get_registered_model(self.name)
        except MlflowException:
            client.create_registered_model(self.name)
            return []
        return list(client.search_model_versions(f"name = '{self.name}'", max_results=1000))

    def _aliases(self, client: MlflowClient) -> dict[str, str]:
        return {alias: str(number) for alias, number in client.get_registered_model(self.name).aliases.items()}

    def _read(self, client: MlflowClient, version: Any) -> Version:
        created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
        number = str(version.version)
        return Version(
            number=number,
            sha256=version.tags.get(_SHA256, ""),
            run=version.tags.get(_RUN, ""),
            gate=version.tags.get(_GATE, ""),
            aliases=tuple(sorted(a for a, n in self._aliases(client).items() if n == number)),
            created=f"{created:%Y-%m-%dT%H:%M:%SZ}",
            metrics=dict(client.get_run(version.run_id).data.metrics) if version.run_id else {},
        )

    def _exists(self) -> bool:
        """Whether there is a store to read; reading must not make one."""
        return bool(os.environ.get("MLFLOW_TRACKING_URI")) or (self._state / "mlflow.db").exists()

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        with quiet():
            try:
                if self._opened is None:
                    self._state.mkdir(parents=True, exist_ok=True)
                    self._opened = open_client(self.uri)
                yield self._opened
            except (RegistryError, MissingExtraError, ArtifactError):
                raise
            except Exception as error:
                foreign = ("mlflow", "sqlalchemy", "requests", "urllib3")
                if not isinstance(error, OSError) and not type(error).__module__.startswith(foreign):
                    raise
                raise RegistryError(f"the registry at {self.uri} cannot be used: {error}") from error


def _attempt_tag(champion: str) -> str:
    return f"{_ATTEMPT}{champion[:16]}"


def _local(source: str) -> Path | None:
    parsed = urlparse(source)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(source) if not parsed.scheme else None
