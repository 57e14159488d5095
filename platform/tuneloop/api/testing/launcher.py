"""The contract of launchers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from tuneloop.api.errors import DataError, PluginError, TuneloopError
from tuneloop.api.launcher import Job, Launcher, Outcome, Report
from tuneloop.api.plugin import Plugin
from tuneloop.api.testing.launched import ENTRY, SAID, work
from tuneloop.api.testing.plugin import PluginContract


class StoppedError(Exception):
    """Raised by whoever is told of records, as a search that prunes does."""


def _unheard(record: Mapping[str, float]) -> None:
    """What is reported is not looked at."""


class LauncherContract(PluginContract):
    """Set `plugin`, and `options` so that work starts at once."""

    kind: ClassVar[type[Plugin]] = Launcher

    def test_what_it_says_of_itself(self) -> None:
        """The number of its processes, and what it found when it looked whether it could start."""
        launcher = self.create()
        assert isinstance(launcher.processes, int), f"processes is {launcher.processes!r}"
        assert launcher.processes >= 1, f"processes is {launcher.processes!r}"
        assert launcher.shares_files in (True, False), f"shares_files is {launcher.shares_files!r}"
        assert isinstance(launcher.examine(), str), "examine gives a text"

    def test_run(self) -> None:
        """The answer is that of the first process, and each of its records is told once, in order."""
        told: list[Mapping[str, float]] = []
        answer = self.create().run(self._job({"records": 3, "value": [1, "two"]}, told.append))
        assert answer == {"value": [1, "two"], "rank": 0}, f"run gave {answer!r}"
        assert [record["epoch"] for record in told] == [1.0, 2.0, 3.0], f"report was told {told}"

    def test_an_error_on_purpose_arrives(self) -> None:
        """An error of Tuneloop keeps its kind and its text."""
        with pytest.raises(DataError) as caught:
            self.create().run(self._job({"fail": "told"}))
        assert str(caught.value) == SAID, f"the error says {caught.value}"

    def test_any_other_error_is_named(self) -> None:
        """Whatever else is raised says at least what it was."""
        with pytest.raises((TuneloopError, LookupError)) as caught:
            self.create().run(self._job({"fail": "bug"}))
        assert SAID in str(caught.value), f"the error says {caught.value}"

    def test_who_listens_can_stop_it(self) -> None:
        """What is raised where a record is told ends the work, and is raised."""

        def stop(record: Mapping[str, float]) -> None:
            raise StoppedError(record)

        with pytest.raises(StoppedError):
            self.create().run(self._job({"records": 2}, stop))

    def test_run_many(self) -> None:
        """Every call has one outcome, a failed one says why, and no argument is asked for before a place is free."""
        asked: list[int] = []

        def arguments() -> Iterator[Mapping[str, Any]]:
            for value in range(4):
                asked.append(value)
                yield {"value": value, **({"fail": "told"} if value == 2 else {})}

        found: list[Outcome] = []
        try:
            for outcome in self.create().run_many(ENTRY, arguments(), 2):
                found.append(outcome)
                assert len(asked) <= len(found) + 1, f"{len(asked)} arguments, {len(found)} outcomes"
        except PluginError:
            assert not found, "run_many refuses before it calls anything"
            return
        assert sorted(outcome.position for outcome in found) == [0, 1, 2, 3], f"outcomes: {found}"
        for outcome in found:
            if outcome.position == 2:
                assert outcome.answer is None
                assert SAID in (outcome.error or ""), f"the failed call says {outcome.error!r}"
            else:
                assert outcome.error is None, f"call {outcome.position} failed: {outcome.error}"
                assert outcome.answer["value"] == outcome.position

    def _job(self, argument: Mapping[str, Any], report: Report = _unheard) -> Job:
        return Job(ENTRY, lambda: argument, lambda: work(argument, report), report)
