"""The model registry, on MLflow: versions of a project's model, their aliases, and who moved them when and why."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from tuneloop.api import ArtifactError, MissingExtraError, RegistryError
from tuneloop.artifact import MANIFEST, Artifact
from tuneloop.monitoring.postgres import without_password
from tuneloop.registered import Entry, Move, Named, Version
from tuneloop.storage import fetch_artifact, is_url, join, put_artifact
from tuneloop.tracking import ARTIFACT, fill_run, open_client, quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["CHALLENGER", "CHAMPION", "PREVIOUS", "Entry", "Move", "Named", "Registry", "Version"]

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_RUN, _SHA256, _GATE = "tuneloop.run", "tuneloop.sha256", "tuneloop.gate"
_ATTEMPT = "tuneloop.attempt."
_HISTORY = "tuneloop.history"
_PLACE = "tuneloop.place"
_KEPT_MOVES = 50


class Registry:
    """The versions of one project's model."""

    def __init__(self, project: Named, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Nothing is opened yet.

        Args:
            project: Names the model; the store lies in its state folder, unless `MLFLOW_TRACKING_URI` names one.
            clock: The time, in UTC.
        """
        self.name, self._state, self._clock = project.name, project.state, clock
        # Not every named thing with a state has one.
        self._storage: str | None = getattr(project, "storage", None)
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
            StorageError: The project's storage cannot be written; nothing is registered.
        """
        place = self._place(entry.artifact.sha256)
        if place is not None:
            # Before a version names it: what is registered can be fetched.
            put_artifact(entry.artifact, place)
        with self._client() as client:
            found = self._record_run(client, entry)
            sha256 = entry.artifact.sha256
            known = [v for v in self._versions(client) if v.tags.get(_SHA256) == sha256]
            gate = "passed" if entry.passed else "refused"
            kept = {} if place is None else {_PLACE: place}
            attempt = {} if entry.against is None else {_attempt_tag(entry.against[0]): str(entry.against[1])}
            if known:
                version = known[0]
                client.set_model_version_tag(self.name, version.version, _GATE, gate)
            else:
                # All at once: a version that is half described is never there.
                tags = {_SHA256: sha256, _GATE: gate, _RUN: entry.run, **attempt, **kept}
                source = place if place and is_url(place) else f"{found.info.artifact_uri}/{ARTIFACT}"
                version = client.create_model_version(self.name, source, found.info.run_id, tags=tags)
            number = str(version.version)
            for name, value in {**attempt, **kept}.items() if known else ():
                client.set_model_version_tag(self.name, number, name, value)
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

    def made_by(self, run: str) -> Version | None:
        """The version that a pipeline run registered; None where it has registered none."""
        return next((version for version in self.versions() if version.run == run), None)

    def reach(self) -> None:
        """Ask the store once, where it is a server or a database elsewhere: before work is done for it.

        Raises:
            RegistryError: It does not answer.
        """
        if os.environ.get("MLFLOW_TRACKING_URI"):
            with self._client() as client:
                client.search_experiments(max_results=1)

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
        if before is None or version is None or before.number == version.number:
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
            found = client.get_model_version(self.name, version.number)
            source, place = str(found.source), found.tags.get(_PLACE)
            local = _local(source)
            if local is None or not (local / MANIFEST).is_file():
                local = self._fetch(place, version.sha256) if place else self._download(source, version.sha256)
        artifact = Artifact.open(local)
        if artifact.sha256 != version.sha256:
            raise RegistryError(
                f"version {version.number} of {self.name!r} was registered with SHA-256 {version.sha256}; "
                f"the files in {local} have {artifact.sha256}"
            )
        return artifact

    def _place(self, sha256: str) -> str | None:
        return None if self._storage is None else join(self._storage, self.name, "artifacts", sha256)

    def _fetch(self, place: str, sha256: str) -> Path:
        """The artifact at a place of the storage; a copy that is not what was registered is not kept."""
        folder = fetch_artifact(place, sha256, self._state / "artifacts")
        try:
            Artifact.open(folder)
        except ArtifactError:
            shutil.rmtree(folder)
            raise
        return folder

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
            # Cut off anywhere, it can be asked for again: it is noted once, and who was champion is known to the end.
            if not self._noted(client, move):
                self._note(client, move)
            if kind == "promote" and previous is not None:
                client.set_registered_model_alias(self.name, PREVIOUS, previous)
            if self._aliases(client).get(CHALLENGER) == version:
                client.delete_registered_model_alias(self.name, CHALLENGER)
            client.set_registered_model_alias(self.name, CHAMPION, version)
            if kind != "promote" and previous is not None:
                client.set_registered_model_alias(self.name, PREVIOUS, previous)
        return move

    def _noted(self, client: MlflowClient, move: Move) -> bool:
        tags = client.get_registered_model(self.name).tags
        last = json.loads(tags.get(_HISTORY, "[]"))[-1:]
        return bool(last) and Move(**{**last[0], "when": move.when}) == move

    def _note(self, client: MlflowClient, move: Move) -> None:
        tags = client.get_registered_model(self.name).tags
        moves = [*json.loads(tags.get(_HISTORY, "[]")), {name: getattr(move, name) for name in Move.__slots__}]
        client.set_registered_model_tag(self.name, _HISTORY, json.dumps(moves[-_KEPT_MOVES:]))

    def _record_run(self, client: MlflowClient, entry: Entry) -> Any:
        """The MLflow run of a pipeline run, found by its tags: a killed attempt may have begun it.

        What an attempt on another host recorded for other files, and no version names, is deleted.
        """
        experiment = self._experiment(client)
        tags = {_RUN: entry.run, _SHA256: entry.artifact.sha256}
        found = client.search_runs([experiment], f"tags.`{_RUN}` = '{entry.run}'")
        named = {version.run_id for version in self._versions(client)}
        run = next((one for one in found if one.data.tags.get(_SHA256) == entry.artifact.sha256), None)
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
            artifact=entry.artifact.folder if self._storage is None else None,
            files=files,
            now=self._clock(),
        )
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
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
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
                raise RegistryError(f"the registry at {self._shown} cannot be used: {self._said(error)}") from error

    @property
    def _shown(self) -> str:
        return without_password(self.uri)

    def _said(self, error: Exception) -> str:
        """What a library says, which may quote the address with its password."""
        return " ".join(str(error).replace(self.uri, self._shown).split())


def _attempt_tag(champion: str) -> str:
    return f"{_ATTEMPT}{champion[:16]}"


def _local(source: str) -> Path | None:
    parsed = urlparse(source)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(source) if not parsed.scheme else None
