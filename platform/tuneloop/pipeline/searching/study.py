"""Drive a search: ask the study for options, hand trials out, and tell the study what came of them.

One process owns a study at a time: it holds the lock of the step. So every trial that the study calls running when a
process begins is one that died with the process before; its options are tried again, and a checkpoint it left is gone
on from. Nothing that ended is done a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuneloop.api import ConfigError, Outcome, RunError
from tuneloop.config.search import Search
from tuneloop.pipeline.searching import drawing, own
from tuneloop.pipeline.searching.drawing import Values
from tuneloop.pipeline.searching.record import NOTES, RESULT, TrialRow, best_of, row_of
from tuneloop.pipeline.searching.storage import close_study, import_optuna, open_study

ATTEMPTS = 3
"""How often a trial is begun whose process dies."""
STOPPED = "the search was stopped"
"""Why a trial is lost that died with the process of the search."""
_HOPELESS = 5
"""Failures without one success after which no more trials begin."""

RunMany = Callable[[Iterable[Mapping[str, Any]], int], Iterator[Outcome]]
"""Calls the trial for each argument, some at a time; see `Launcher.run_many`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search needs to know.

    Attributes:
        search: What the project says.
        name: Of the study.
        url: Where it is kept.
        metric: Judges the trials.
        maximize: Whether more of it is better.
        own: The project's own values, where they exist.
        argument: What every trial is given, beside its own part.
        check: Raises `ConfigError` for values that the project cannot have.
        applies: Whether an option exists; see `drawing.Applies`.
        told: Told about each trial that ended.
        drop: Told the names of step folders that nothing needs any more.
        clock: Seconds that only grow.
        alone: Whether all trials are done on this machine.
    """

    search: Search
    name: str
    url: str
    metric: str
    maximize: bool
    own: Values
    argument: Mapping[str, Any]
    check: Callable[[Values], object]
    applies: drawing.Applies
    told: Callable[[TrialRow], None]
    drop: Callable[[list[str]], None]
    clock: Callable[[], float] = time.monotonic
    alone: bool = True


class Driver:
    """One search in this process, as a context that closes its database."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._search = plan, plan.search
        self._states = import_optuna().trial.TrialState
        self._study = open_study(plan.url, plan.name, plan.search, maximize=plan.maximize, alone=plan.alone)
        self._begun = plan.clock()
        self._rows: dict[int, TrialRow] = {}
        self._trials: dict[int, Any] = {}
        self._running: dict[int, Values] = {}
        self._waiting: dict[int, list[int]] = {}
        self._queued = 0
        self._sent: list[int] = []
        self._grid = drawing.grid(self._search) if self._search.sampler == "grid" else None
        self._prepare()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        close_study(self._study)

    def run(self, run_many: RunMany) -> tuple[TrialRow, ...]:
        """Try options until there are enough trials, or the time is over.

        Returns:
            All trials that were done, in order.

        Raises:
            RunError: No trial succeeded.
        """
        while True:
            sent = len(self._sent)
            for outcome in run_many(self._arguments(), self._search.parallel):
                number = self._sent[sent + outcome.position]
                if outcome.error is not None:
                    self._lose(number, outcome.error)
                else:
                    self._settle(number, outcome.answer)
            # Trials whose process died are done again, after the last one was handed out too.
            if len(self._sent) == sent:
                break
        rows = self.rows()
        if not any(row.state == "complete" for row in rows):
            last = next((row.reason for row in reversed(rows) if row.reason), "the time was over before one ended")
            raise RunError(f"no trial of the search succeeded, of {len(rows)}. The last one: {last}")
        return rows

    def rows(self) -> tuple[TrialRow, ...]:
        """All trials that ended, in order."""
        return tuple(self._rows[number] for number in sorted(self._rows))

    @property
    def study(self) -> Any:
        """Optuna's."""
        return self._study

    def _prepare(self) -> None:
        """Begin with the project's own values; and with those again that died with an earlier process."""
        trials = self._study.get_trials(deepcopy=False)
        if not trials and self._plan.own and own.begins(self._plan.own, self._search):
            self._queue(self._plan.own)
        for trial in trials:
            if trial.state == self._states.WAITING:
                self._queued += 1
            elif trial.state.is_finished():
                self._rows[trial.number] = row_of(trial)
        best = best_of(self.rows(), maximize=self._plan.maximize)
        for row in self.rows():
            if best is None or row.number != best.number:
                # A process that was killed between the two told the result, and did not get to this.
                self._plan.drop(list(row.folders))
        for trial in trials:
            if trial.state == self._states.RUNNING:
                self._trials[trial.number] = trial
                self._running[trial.number] = drawing.values_of(self._search, trial.params)
                # One that had not been drawn yet is drawn again anyway.
                self._again(trial.number, STOPPED, queue=bool(trial.params))

    def _arguments(self) -> Iterator[dict[str, Any]]:
        while self._may_begin():
            number, values = self._ask()
            if self._is_new(number, values):
                self._sent.append(number)
                yield {
                    **self._plan.argument,
                    "values": values,
                    "url": self._plan.url,
                    "name": self._plan.name,
                    "maximize": self._plan.maximize,
                    "prune": self._search.prune,
                    "metric": self._plan.metric,
                    # Optuna's own number for it, over all studies of the storage.
                    "trial": self._trials[number]._trial_id,
                }

    def _may_begin(self) -> bool:
        done = [row for row in self._rows.values() if row.state != "lost"]
        if len(done) >= _HOPELESS and all(row.state == "failed" for row in done):
            return False
        late = self._search.timeout is not None and self._plan.clock() - self._begun > self._search.timeout
        if late and done:
            return False
        if self._queued:
            return True
        if len(done) + len(self._running) >= self._search.trials:
            return False
        return self._grid is None or self._queue_next(self._grid)

    def _queue_next(self, grid: Iterator[Values]) -> bool:
        """Queue the next combination of the grid that was not tried; whether there is one."""
        known = [row.values for row in self._rows.values()] + list(self._running.values())
        values = next((one for one in grid if one not in known), None)
        if values is not None:
            self._queue(values)
        return values is not None

    def _queue(self, values: Values) -> None:
        self._study.enqueue_trial(drawing.parameters(self._search, values))
        self._queued += 1

    def _ask(self) -> tuple[int, Values]:
        count = sum(row.state != "lost" for row in self._rows.values()) + len(self._running)
        self._study.sampler = drawing.sampler(self._search, count)
        trial = self._study.ask()
        self._queued = max(self._queued - 1, 0)
        values = drawing.draw(trial, self._search, self._plan.applies)
        self._trials[trial.number], self._running[trial.number] = trial, values
        return trial.number, values

    def _is_new(self, number: int, values: Values) -> bool:
        """Whether the trial is to be done: its values can be, and no other trial has them."""
        try:
            self._plan.check(values)
        except ConfigError as error:
            self._settle(number, _failed("; ".join(error.problems)))
            return False
        for row in self.rows():
            if row.values == values and row.state != "lost":
                self._copy(number, row)
                return False
        twin = next((other for other, same in self._running.items() if same == values and other != number), None)
        if twin is not None:
            self._waiting.setdefault(twin, []).append(number)
        return twin is None

    def _settle(self, number: int, answer: Mapping[str, Any]) -> None:
        before = best_of(self.rows(), maximize=self._plan.maximize)
        self._end(number, answer["state"], answer["value"], **{name: answer[name] for name in RESULT})
        after = best_of(self.rows(), maximize=self._plan.maximize)
        if after is None or after.number != number:
            self._plan.drop(list(answer["folders"]))
        elif before is not None:
            self._plan.drop(list(before.folders))

    def _copy(self, number: int, twin: TrialRow) -> None:
        """The result of a trial with equal values."""
        for step, value in twin.curve.items() if twin.state == "pruned" else ():
            self._study._storage.set_trial_intermediate_value(self._trials[number]._trial_id, step, value)
        self._end(number, twin.state, twin.value, twin=twin.number, reason=twin.reason)

    def _lose(self, number: int, error: str) -> None:
        """A worker died: begin the trial again, but not for ever."""
        values = self._running[number]
        lost = [row for row in self._rows.values() if row.state == "lost" and row.values == values]
        if 1 + sum(row.reason != STOPPED for row in lost) < ATTEMPTS:
            self._again(number, error)
        else:
            self._settle(number, _failed(f"its process died {ATTEMPTS} times: {error}"))

    def _again(self, number: int, reason: str, *, queue: bool = True) -> None:
        if queue:
            # First: cut off between the two, it is queued again, and the second is its twin.
            self._queue(self._running[number])
        waiting = self._waiting.pop(number, [])
        for one in (number, *waiting):
            self._end(one, "lost", None, reason=reason)

    def _end(self, number: int, state: str, value: float | None, **notes: Any) -> None:
        """Tell the study, and whoever listens; trials that waited for this one have its result."""
        trial = self._trials.pop(number)
        values = self._running.pop(number)
        self._study._storage.set_trial_user_attr(trial._trial_id, NOTES, {"state": state, "values": values, **notes})
        kind = {"complete": self._states.COMPLETE, "pruned": self._states.PRUNED}.get(state, self._states.FAIL)
        told = self._study.tell(number, value if state == "complete" else None, state=kind)
        self._rows[number] = row = row_of(told)
        self._plan.told(row)
        for waiting in self._waiting.pop(number, ()):
            self._copy(waiting, row)


def _failed(reason: str) -> dict[str, Any]:
    return {"state": "failed", "value": None, "epochs": 0, "seconds": 0.0, "reason": reason, "folders": []}
