"""The buttons: what each does, what it says before it is pressed, and why it may not be pressed now.

Each is confirmed on a page of its own that names what is about to happen, with a reason that is recorded. A form
carries what its reader saw, the champion or the run: where that has changed by the time it is sent, nothing is done. So
a button that is pressed twice does not roll back twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuneloop.api import TuneloopError
from tuneloop.loop.deciding import approvals
from tuneloop.loop.deciding import pause as pausing
from tuneloop.loop.web.session import one_line
from tuneloop.pipeline import promote, rollback
from tuneloop.registry import CHAMPION, PREVIOUS, Registry

if TYPE_CHECKING:
    from tuneloop.loop.web.site import Site

LONGEST_REASON = 500
"""Characters."""

Parameters = Mapping[str, str]


class RefusedError(TuneloopError):
    """A button cannot be pressed now; says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An action with its parameters, as a person is asked to confirm it.

    Attributes:
        title: What is done.
        effect: What that means, in a sentence or two.
        refusal: Why it cannot be done now; empty where it can.
        hidden: What the form carries along.
        risky: Whether it changes what is served.
        asks: Whether a reason is asked for.
    """

    title: str
    effect: str
    refusal: str = ""
    hidden: Parameters = field(default_factory=dict)
    risky: bool = False
    asks: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """A button.

    Attributes:
        plan: What is asked to be confirmed, from the parameters of the page or form; None: they name nothing.
        do: Does it, given who and why.
        done: The sentence shown then.
    """

    plan: Callable[[Site, Parameters], Plan | None]
    do: Callable[[Site, Parameters, str, str], object]
    done: str


def clean_reason(given: str) -> str:
    """A reason as it is recorded: printable, on one line, at most `LONGEST_REASON` characters."""
    return one_line(given, LONGEST_REASON)


def _champion(site: Site) -> str:
    channel = site.channel()
    return "" if channel is None else channel.champion.version


def _busy(site: Site) -> str:
    """Why the champion must not be moved by hand now: a run moves it too."""
    run = site.brain.decisions.unfinished()
    if run is None:
        return ""
    ends = "decline it first" if run.run in _waiting(site) else "wait until it ends"
    return (
        f"run {run.run} is not finished and may move the champion itself; {ends}. "
        "In an emergency `tuneloop rollback` on the machine does not wait."
    )


def _waiting(site: Site) -> list[str]:
    return [one.run for one in approvals.waiting(site.database)]


def _plan_retrain(site: Site, _: Parameters) -> Plan:
    run = site.brain.decisions.unfinished()
    refusal = "" if run is None else f"run {run.run} is not finished; one runs at a time."
    effect = "A run starts with the labels that came back so far. What it makes must pass the gate before it serves."
    return Plan("Retrain now", effect, refusal)


def _retrain(site: Site, _: Parameters, who: str, why: str) -> None:
    decision = site.brain.ask(who, why)
    if decision.record.outcome != "accepted":
        raise RefusedError(decision.record.sentence)


def _plan_pause(site: Site, _: Parameters) -> Plan:
    refusal = "the loop is paused already." if pausing.paused(site.database) else ""
    effect = "No alert and no schedule starts a run until the loop is resumed. A run that is at work goes on."
    return Plan("Pause", effect, refusal)


def _plan_resume(site: Site, _: Parameters) -> Plan:
    refusal = "" if pausing.paused(site.database) else "the loop is not paused."
    effect = "Alerts start runs again. Those that still fire are decided anew within seconds."
    return Plan("Resume", effect, refusal, asks=False)


def _plan_answer(title: str, effect: str) -> Callable[[Site, Parameters], Plan | None]:
    def plan(site: Site, given: Parameters) -> Plan | None:
        run = site.brain.decisions.run(given["run"])
        if run is None:
            return None
        refusal = "" if run.run in _waiting(site) else f"run {run.run} does not wait for an answer."
        return Plan(title, f"Run {run.run}: {effect}", refusal, {"run": run.run}, risky=title == "Approve")

    return plan


def _plan_promote(site: Site, given: Parameters) -> Plan | None:
    version = next((one for one in site.versions().all if one.number == given["version"]), None)
    if version is None:
        return None
    champion = _champion(site)
    effect = f"Version {version.number} becomes champion and servers take it within seconds."
    if champion:
        effect += f" Version {champion} is kept as previous."
    if version.gate == "refused":
        effect += " The gate refused this version: look at its run before."
    refusal = f"version {version.number} is the champion." if champion == version.number else _busy(site)
    return Plan(
        f"Promote version {version.number}",
        effect,
        refusal,
        {"version": version.number, "champion": champion},
        risky=True,
    )


def _plan_rollback(site: Site, _: Parameters) -> Plan:
    champion, previous = _champion(site), site.versions().named(PREVIOUS)
    if previous is None or not champion:
        return Plan("Roll back", "The previous version becomes champion again.", "there is no version to go back to.")
    effect = (
        f"Version {previous.number} becomes champion again and servers take it within seconds. "
        f"Version {champion} is kept as previous."
    )
    hidden = {"champion": champion, "version": previous.number}
    return Plan(f"Roll back to version {previous.number}", effect, _busy(site), hidden, risky=True)


def _move(site: Site, given: Parameters, who: str, why: str, *, back: bool) -> None:
    """Move the champion, while nothing is decided here: no run begins in between."""
    with site.brain.deciding():
        if refusal := _busy(site):
            raise RefusedError(refusal)
        registry = Registry(site.project)
        champion, previous = registry.find(CHAMPION), registry.find(PREVIOUS)
        now = "" if champion is None else champion.number
        if now != given["champion"]:
            raise RefusedError(f"version {now or 'none'} is the champion by now; look again.")
        if not back:
            promote(site.project, site.brain.plugins, given["version"], who=who, why=why)
            return
        if previous is None or previous.number != given["version"]:
            raise RefusedError("another version is the previous one by now; look again.")
        rollback(site.project, site.brain.plugins, who=who, why=why)


ACTIONS: Mapping[str, Action] = {
    "retrain": Action(_plan_retrain, _retrain, "A run begins."),
    "pause": Action(
        _plan_pause, lambda site, _, who, why: pausing.pause(site.database, who, why), "The loop is paused."
    ),
    "resume": Action(_plan_resume, lambda site, _, who, __: pausing.resume(site.database, who), "The loop goes on."),
    "approve": Action(
        _plan_answer("Approve", "what it made goes on towards the servers."),
        lambda site, given, who, why: approvals.approve(site.database, given["run"], who, why),
        "Approved: the run goes on within seconds.",
    ),
    "decline": Action(
        _plan_answer("Decline", "what it made is not used, and the champion goes on serving."),
        lambda site, given, who, why: approvals.decline(site.database, given["run"], who, why),
        "Declined: the champion goes on serving.",
    ),
    "promote": Action(
        _plan_promote,
        lambda site, given, who, why: _move(site, given, who, why, back=False),
        "Promoted: servers take it within seconds.",
    ),
    "rollback": Action(
        _plan_rollback,
        lambda site, given, who, why: _move(site, given, who, why, back=True),
        "Rolled back: servers take it within seconds.",
    ),
}
"""By name, as it stands in addresses."""
