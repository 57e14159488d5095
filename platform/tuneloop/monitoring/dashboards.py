"""The Grafana dashboard of one model."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from typing import TYPE_CHECKING, Any

from tuneloop.api import MissingExtraError
from tuneloop.monitoring.dashboard_panels import MODEL, VERSION, panel_plans
from tuneloop.monitoring.dashboard_plan import PanelPlan, recorded
from tuneloop.monitoring.rules import WatchValues

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

DATASOURCE = "tuneloop-prometheus"
"""The `uid` of the provisioned datasource."""
_HEIGHT = 8


def model_dashboard(values: WatchValues) -> str:
    """The dashboard as JSON, for Grafana 11; every signal that is served appears on it.

    Args:
        values: Give the model's name, the window, and the thresholds that are drawn.

    Raises:
        MissingExtraError: `grafana_foundation_sdk` is not installed.
    """
    try:
        from grafana_foundation_sdk.builders import dashboard as dashboards
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
    except ImportError as error:
        raise MissingExtraError("writing a dashboard", "grafana_foundation_sdk", "grafana") from error

    made = (
        dashboards.Dashboard(f"Tuneloop: {values.model}")
        .uid(dashboard_uid(values.model))
        .tags(["tuneloop", values.model])
        # Grafana by default refreshes no page more often than every five seconds.
        .refresh(_seconds(max(5.0, values.scrape_interval)))
        .time(f"now-{_seconds(max(3600.0, values.window * 4))}", "now")
        .variables(_variables(values))
    )
    number = itertools.count(1)
    for title, plans in panel_plans(values).items():
        made.with_row(dashboards.Row(title).id(next(number)))
        for plan in plans:
            made.with_panel(_panel(plan).id(next(number)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def dashboard_uid(model: str) -> str:
    """What names the dashboard in Grafana's addresses: at most 40 characters, so a long name ends in its hash."""
    name = f"tuneloop-{model}"
    return name if len(name) <= 40 else f"{name[:31]}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def _variables(values: WatchValues) -> list[Any]:
    from grafana_foundation_sdk.builders import dashboard as dashboards
    from grafana_foundation_sdk.models.dashboard import VariableHide, VariableOption, VariableRefresh, VariableSort

    expected = recorded(values)["model_version_signal_bin:tuneloop_signal_reference_ratio"]

    def of_label(label: str, query: str) -> dashboards.QueryVariable:
        return (
            dashboards.QueryVariable(label)
            .datasource(_source())
            .query({"qryType": 1, "query": query, "refId": f"{label}-values"})
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )

    version = of_label("version", f"label_values({expected}{{{MODEL}}}, version)")
    signal = of_label("signal", f"label_values({expected}{{{VERSION}}}, signal)")
    everything = VariableOption(selected=True, text="All", value="$__all")
    default = VariableOption(selected=True, text="Tuneloop Prometheus", value=DATASOURCE)
    return [
        dashboards.DatasourceVariable("datasource").type("prometheus").current(default).hide(VariableHide.DONT_HIDE),
        dashboards.ConstantVariable("model").value(values.model),
        version.multi(True).include_all(True).current(everything).sort(VariableSort.NUMERICAL_DESC),
        signal.sort(VariableSort.ALPHABETICAL_ASC),
    ]


def _panel(plan: PanelPlan) -> Any:
    from grafana_foundation_sdk.builders import barchart, common, prometheus, stat, timeseries
    from grafana_foundation_sdk.models.common import BigValueTextMode, TooltipDisplayMode
    from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    kinds: dict[str, Any] = {"lines": timeseries.Panel, "stat": stat.Panel, "bars": barchart.Panel}
    panel = kinds[plan.kind]().title(plan.title).description(plan.description).unit(plan.unit)
    panel.datasource(_source()).span(plan.width).height(_HEIGHT)
    for position, query in enumerate(plan.queries):
        target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).datasource(_source())
        target.ref_id(chr(ord("A") + position))
        if plan.kind == "lines":
            target.range()
        else:
            target.instant()
        panel.with_target(target.format(PromQueryFormat.TABLE) if plan.kind == "bars" else target)
    if plan.kind == "stat":
        panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    else:
        panel.legend(common.VizLegendOptions().show_legend(True))
        panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    if plan.kind == "bars":
        renamed = {f"Value #{chr(ord('A') + i)}": query.legend for i, query in enumerate(plan.queries)}
        hidden = {f"Time{suffix}": True for suffix in ("", " 1", " 2")}
        organize = {"excludeByName": hidden, "renameByName": renamed}
        panel.with_transformation(DataTransformerConfig("joinByField", options={"byField": "bin", "mode": "outer"}))
        panel.with_transformation(DataTransformerConfig("organize", options=organize))
        panel.x_field("bin")
    if plan.each_version:
        panel.repeat("version").repeat_direction("v")
    if plan.threshold is not None:
        _draw_threshold(panel, plan.threshold, above=plan.alarm == "above")
    return panel


def _draw_threshold(panel: Any, threshold: float, *, above: bool) -> None:
    from grafana_foundation_sdk.builders import common
    from grafana_foundation_sdk.builders import dashboard as dashboards
    from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
    from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

    colors = ("green", "red") if above else ("yellow", "green")
    steps = [Threshold(None, colors[0]), Threshold(threshold, colors[1])]
    panel.thresholds(dashboards.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))


def _source() -> DataSourceRef:
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    return DataSourceRef("prometheus", "${datasource}")


def _seconds(value: float) -> str:
    """A time as Grafana writes it, in whole seconds."""
    return f"{math.ceil(value)}s"
