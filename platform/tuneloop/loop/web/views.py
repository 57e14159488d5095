"""From a request of somebody who is signed in to a page. These functions read records and may take moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneloop.api import RunError, TuneloopError
from tuneloop.loop.deciding import approvals
from tuneloop.loop.stages import Stages
from tuneloop.loop.web.actions import ACTIONS, Parameters, Plan, clean_reason
from tuneloop.loop.web.alert_rows import OUTCOMES, read_alerts
from tuneloop.loop.web.forms import Form
from tuneloop.loop.web.overview import overview as read_overview
from tuneloop.loop.web.run_facts import list_rows, read_run

if TYPE_CHECKING:
    from tuneloop.loop.web.session import Session
    from tuneloop.loop.web.site import Site

_ROWS = 50
"""Runs a page."""


@dataclass(frozen=True, slots=True)
class View:
    """What is answered: a template with its values, or the address to go to instead."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    go: str = ""


def overview(site: Site, query: Parameters) -> View:
    """`/`."""
    done = ACTIONS.get(query["done"])
    values = read_overview(site, query["span"])
    return View("overview.html.j2", {"here": "Overview", "done": "" if done is None else done.done, **values})


def runs(site: Site, query: Parameters) -> View:
    """`/runs`."""
    rows, error = [], ""
    try:
        rows = list_rows(site)
    except RunError as found:
        error = str(found)
    pages = max(1, -(-len(rows) // _ROWS))
    page = min(_page(query), pages)
    shown = rows[(page - 1) * _ROWS : page * _ROWS]
    return View("runs.html.j2", {"here": "Runs", "rows": shown, "page": page, "pages": pages, "error": error})


def run(site: Site, query: Parameters) -> View:
    """`/runs/{run}`."""
    found = read_run(site, query["run"])
    if found is None:
        return missing("There is no such run.")
    links, mlflow = site.project.monitor.links, ""
    if links.mlflow and found.row.version:
        mlflow = f"{links.mlflow}/#/models/{site.project.name}/versions/{found.row.version}"
    waits = any(one.run == found.row.id for one in approvals.waiting(site.database))
    stages = Stages(site.database, site.clock).of(found.row.id)
    values = {"here": "Runs", "run": found, "waiting": waits, "mlflow": mlflow, "stages": stages}
    return View("run.html.j2", values)


def decisions(site: Site, query: Parameters) -> View:
    """`/decisions`."""
    outcome = query["outcome"] if query["outcome"] in OUTCOMES else ""
    found = read_alerts(site.database, outcome, _page(query))
    return View("decisions.html.j2", {"here": "Decisions", "found": found, "outcome": outcome})


def ask(site: Site, query: Parameters) -> View:
    """`/do/{name}`: what is about to happen, to be confirmed."""
    action = ACTIONS.get(query["name"])
    plan = None if action is None else action.plan(site, query)
    if plan is None:
        return missing("There is nothing here to be done.")
    return _confirm(query["name"], plan)


def do(site: Site, query: Parameters, form: Form, session: Session) -> View:
    """`POST /do/{name}`: do it."""
    name = query["name"]
    action = ACTIONS.get(name)
    plan = None if action is None else action.plan(site, form)
    if action is None or plan is None:
        return missing("There is nothing here to be done.")
    why = clean_reason(form["why"])
    if plan.asks and not why:
        return _confirm(name, plan, "Say why; it is recorded.", status=422)
    if plan.refusal:
        return _confirm(name, plan, status=409)
    try:
        action.do(site, form, session.who, why)
    except TuneloopError as error:
        site.forget()
        again = action.plan(site, form) or plan
        return _confirm(name, again, f"Nothing was changed: {error}", why, status=409)
    site.forget()
    return View("", go=f"/?done={name}")


def missing(text: str) -> View:
    """There is nothing at this address."""
    return View("message.html.j2", {"here": "", "title": "Not found", "text": text}, 404)


def _confirm(name: str, plan: Plan, error: str = "", why: str = "", status: int = 200) -> View:
    back = f"/runs/{plan.hidden['run']}" if "run" in plan.hidden else "/"
    values = {"here": "", "name": name, "plan": plan, "error": error, "why": why, "back": back}
    return View("confirm.html.j2", values, status)


def _page(query: Parameters) -> int:
    given = query["page"]
    return int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 1
