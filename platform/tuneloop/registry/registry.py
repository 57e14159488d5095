"""The versions of one project's model: registered, found, moved, fetched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tuneloop.api import RegistryError
from tuneloop.artifact import Artifact
from tuneloop.registry.entries import Entry, Move, Named, Version
from tuneloop.registry.files import bring
from tuneloop.registry.history import is_last, note_move, read_moves
from tuneloop.registry.names import CHALLENGER, CHAMPION, PLACE, PREVIOUS, SHA256, attempt_tag
from tuneloop.registry.runs import experiment_of, record_run
from tuneloop.registry.store import Store
from tuneloop.registry.versions import aliases_of, read_version, record_version, versions_of
from tuneloop.storage import join, put_artifact


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
        self.store = Store(self._state)

    @property
    def uri(self) -> str:
        """Where the store is."""
        return self.store.uri

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
        with self.store.client() as client:
            location = None if self.store.is_elsewhere else self.store.artifacts.resolve().as_uri()
            run = record_run(
                client,
                self.name,
                entry,
                experiment=experiment_of(client, self.name, location),
                keep_artifact=self._storage is None,
                now=self._clock(),
            )
            number = record_version(client, self.name, entry, run, place)
            if entry.passed and aliases_of(client, self.name).get(CHAMPION) != number:
                client.set_registered_model_alias(self.name, CHALLENGER, number)
            return read_version(client, self.name, client.get_model_version(self.name, number))

    def attempt(self, champion: str, challenger: str) -> int:
        """Which attempt at a champion it is to judge a challenger against it, from 1; both are SHA-256 of artifacts.

        Refused versions are registered with the number of their attempt, so that the count outlives runs, loops and
        machines. A challenger that was judged before keeps its number: looking twice is no second attempt.
        """
        if not self.store.exists():
            return 1
        with self.store.client() as client:
            tag = attempt_tag(champion)
            numbers = {
                version.tags.get(SHA256): int(version.tags[tag])
                for version in versions_of(client, self.name)
                if version.tags.get(tag, "").isdecimal()
            }
        return numbers.get(challenger, max(numbers.values(), default=0) + 1)

    def versions(self) -> tuple[Version, ...]:
        """All versions, newest first."""
        if not self.store.exists():
            return ()
        with self.store.client() as client:
            found = [read_version(client, self.name, version) for version in versions_of(client, self.name)]
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
        if self.store.is_elsewhere:
            with self.store.client() as client:
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
        with self.store.client() as client:
            if kind != "stop":
                client.set_registered_model_alias(self.name, CHALLENGER, version.number)
            note_move(client, self.name, move)
        return move

    def history(self) -> tuple[Move, ...]:
        """Who moved the champion, or tried a challenger, when and why, oldest first."""
        if not self.store.exists():
            return ()
        with self.store.client() as client:
            return read_moves(client, self.name)

    def fetch(self, wanted: str) -> Artifact:
        """The artifact of a version, verified, in a local folder.

        Raises:
            RegistryError: There is no such version, or its files cannot be had, or they are not those registered.
        """
        version = self.resolve(wanted)
        with self.store.client() as client:
            found = client.get_model_version(self.name, version.number)
            place, copies = found.tags.get(PLACE), self._state / "artifacts"
            local = bring(str(found.source), place, version.sha256, copies, self.uri)
        artifact = Artifact.open(local)
        if artifact.sha256 != version.sha256:
            raise RegistryError(
                f"version {version.number} of {self.name!r} was registered with SHA-256 {version.sha256}; "
                f"the files in {local} have {artifact.sha256}"
            )
        return artifact

    def _place(self, sha256: str) -> str | None:
        return None if self._storage is None else join(self._storage, self.name, "artifacts", sha256)

    def _move(self, kind: str, version: str, previous: str | None, who: str, why: str) -> Move:
        move = Move(kind, version, previous, who, f"{self._clock():%Y-%m-%dT%H:%M:%SZ}", why)
        with self.store.client() as client:
            # Cut off anywhere, it can be asked for again: it is noted once, and who was champion is known to the end.
            if not is_last(client, self.name, move):
                note_move(client, self.name, move)
            if kind == "promote" and previous is not None:
                client.set_registered_model_alias(self.name, PREVIOUS, previous)
            if aliases_of(client, self.name).get(CHALLENGER) == version:
                client.delete_registered_model_alias(self.name, CHALLENGER)
            client.set_registered_model_alias(self.name, CHAMPION, version)
            if kind != "promote" and previous is not None:
                client.set_registered_model_alias(self.name, PREVIOUS, previous)
        return move
