"""Plans become Grafana's JSON, by way of `grafana-foundation-sdk`."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from tuneloop.api import MissingExtraError
from tuneloop.monitoring.grafana.boards import boards
from tuneloop.monitoring.grafana.panels import panel
from tuneloop.monitoring.grafana.plan import BoardPlan, Note, Variable
from tuneloop.monitoring.grafana.source import DATASOURCE, source

TAG = "tuneloop"


@dataclass(frozen=True, slots=True)
class Look:
    """What may differ between two sets.

    Attributes:
        model: Chosen when a dashboard is opened; empty: the first.
        mlflow: Address of MLflow as the reader's browser reaches it; empty: no links to versions and reports.
        span: Time shown at first, in seconds.
        refresh: Seconds between two looks; Grafana by default takes no less than five.
    """

    model: str = ""
    mlflow: str = ""
    span: int = 21_600
    refresh: int = 30


def dashboards(look: Look) -> dict[str, str]:
    """The JSON of each dashboard, for Grafana 11, by its short name.

    Raises:
        MissingExtraError: `grafana_foundation_sdk` is not installed.
    """
    try:
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
    except ImportError as error:
        raise MissingExtraError("writing a dashboard", "grafana_foundation_sdk", "grafana") from error
    made = {plan.name: _board(plan, look) for plan in boards()}
    return {
        name: json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for name, board in made.items()
    }


def _board(plan: BoardPlan, look: Look) -> Any:
    from grafana_foundation_sdk.builders import dashboard as sdk

    made = (
        sdk.Dashboard(plan.title)
        .uid(plan.uid)
        .description(plan.description)
        .tags([TAG])
        .refresh(f"{look.refresh}s")
        .time(f"now-{look.span}s", "now")
        .variables([_source_choice(), *(_choice(variable, look) for variable in plan.variables)])
        .annotations([_annotation(note) for note in plan.notes])
        .links(_links(plan, look))
    )
    number = itertools.count(1)
    for title, plans in plan.rows.items():
        made.with_row(sdk.Row(title).id(next(number)))
        for one in plans:
            made.with_panel(panel(one).id(next(number)))
    return made


def _links(plan: BoardPlan, look: Look) -> list[Any]:
    """To the other dashboards of the set, and to the versions of the model with their reports."""
    from grafana_foundation_sdk.builders import dashboard as sdk
    from grafana_foundation_sdk.models.dashboard import DashboardLinkType

    links = [
        sdk.DashboardLink("Tuneloop").type(DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True).keep_time(True)
    ]
    if look.mlflow:
        page = "models/${model}" if any(one.name == "model" for one in plan.variables) else "models"
        links.append(
            sdk.DashboardLink("Versions and reports")
            .type(DashboardLinkType.LINK)
            .url(f"{look.mlflow.rstrip('/')}/#/{page}")
            .tooltip("The versions in MLflow; the run of each holds its report.")
            .target_blank(True)
        )
    return links


def _source_choice() -> Any:
    from grafana_foundation_sdk.builders import dashboard as sdk
    from grafana_foundation_sdk.models.dashboard import VariableHide, VariableOption

    default = VariableOption(selected=True, text="Tuneloop Prometheus", value=DATASOURCE)
    return sdk.DatasourceVariable("datasource").type("prometheus").current(default).hide(VariableHide.DONT_HIDE)


def _choice(variable: Variable, look: Look) -> Any:
    from grafana_foundation_sdk.builders import dashboard as sdk
    from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

    query = f"label_values({variable.series}, {variable.label or variable.name})"
    made = (
        sdk.QueryVariable(variable.name)
        .datasource(source())
        .query({"qryType": 1, "query": query, "refId": f"{variable.name}-values"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NUMERICAL_DESC if variable.newest_first else VariableSort.ALPHABETICAL_ASC)
    )
    if variable.several:
        everything = VariableOption(selected=True, text="All", value="$__all")
        made.multi(True).include_all(True).current(everything)
    elif variable.name == "model" and look.model:
        made.current(VariableOption(selected=True, text=look.model, value=look.model))
    return made


def _annotation(note: Note) -> Any:
    """Prometheus' annotations have fields that the SDK does not know: how a mark is called, by labels of its series."""
    from grafana_foundation_sdk.builders import dashboard as sdk
    from grafana_foundation_sdk.models.dashboard import AnnotationQuery

    class Marks(AnnotationQuery):
        def to_json(self) -> dict[str, object]:
            texts: dict[str, object] = {"titleFormat": note.title, "textFormat": note.text, "step": "60s"}
            return super().to_json() | texts

    made = sdk.AnnotationQuery()
    made._internal = Marks()
    return made.name(note.name).datasource(source()).enable(True).icon_color(note.color).expr(note.expression)
