"""One panel, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuneloop.monitoring.grafana.plan import PanelPlan
from tuneloop.monitoring.grafana.source import source

_HEIGHT = 8
_BAND = ("lower end", "upper end")


def panel(plan: PanelPlan) -> Any:
    """The builder of a panel."""
    from grafana_foundation_sdk.builders import barchart, heatmap, stat, table, timeseries

    kinds: dict[str, tuple[Callable[[], Any], Callable[[Any, PanelPlan], None]]] = {
        "lines": (timeseries.Panel, _lines),
        "band": (timeseries.Panel, _band),
        "stacked": (timeseries.Panel, _stacked),
        "stat": (stat.Panel, _stat),
        "bars": (barchart.Panel, _bars),
        "heatmap": (heatmap.Panel, _heatmap),
        "table": (table.Panel, _table),
    }
    make, finish = kinds[plan.kind]
    made = make().title(plan.title).description(plan.description).unit(plan.unit)
    made.datasource(source()).span(plan.width).height(_HEIGHT)
    _targets(made, plan)
    finish(made, plan)
    if plan.each_version:
        made.repeat("version").repeat_direction("v")
    return made


def _targets(made: Any, plan: PanelPlan) -> None:
    from grafana_foundation_sdk.builders import prometheus
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    for position, query in enumerate(plan.queries):
        target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).datasource(source())
        target.ref_id(_letter(position))
        if plan.kind in ("stat", "bars", "table"):
            target.instant()
        else:
            target.range()
        made.with_target(target.format(PromQueryFormat.TABLE) if plan.kind in ("bars", "table") else target)


def _lines(made: Any, _: PanelPlan) -> None:
    from grafana_foundation_sdk.builders import common
    from grafana_foundation_sdk.models.common import TooltipDisplayMode
    from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

    made.legend(common.VizLegendOptions().show_legend(True))
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    dashed = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})
    red = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "red"})
    for name in ("threshold", "alarm below"):
        made.override_by_name(name, [dashed, red])


def _band(made: Any, plan: PanelPlan) -> None:
    from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

    _lines(made, plan)
    lower, upper = _BAND
    thin = DynamicConfigValue("custom.lineWidth", 0)
    blue = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "blue"})
    made.override_by_name(lower, [thin, blue])
    filled = [DynamicConfigValue("custom.fillBelowTo", lower), DynamicConfigValue("custom.fillOpacity", 20)]
    made.override_by_name(upper, [thin, blue, *filled])
    made.override_by_name("share", [blue])


def _stacked(made: Any, plan: PanelPlan) -> None:
    from grafana_foundation_sdk.builders import common
    from grafana_foundation_sdk.models.common import StackingMode

    _lines(made, plan)
    made.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A")).fill_opacity(30)


def _stat(made: Any, _: PanelPlan) -> None:
    from grafana_foundation_sdk.models.common import BigValueTextMode

    made.text_mode(BigValueTextMode.VALUE_AND_NAME)


def _bars(made: Any, plan: PanelPlan) -> None:
    from grafana_foundation_sdk.builders import common
    from grafana_foundation_sdk.models.common import TooltipDisplayMode

    made.legend(common.VizLegendOptions().show_legend(True))
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    _join(made, plan)
    made.x_field(plan.key)


def _heatmap(made: Any, plan: PanelPlan) -> None:
    from grafana_foundation_sdk.builders import heatmap
    from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("RdYlGn").reverse(True).steps(32)
    made.calculate(False).color(colors.min(0.0).max(plan.top)).cell_gap(1).show_legend()
    made.cell_values(heatmap.CellValues().decimals(1))


def _table(made: Any, plan: PanelPlan) -> None:
    from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

    _join(made, plan)
    for legend, unit in plan.units.items():
        made.override_by_name(legend, [DynamicConfigValue("unit", unit)])
    if plan.links:
        links = [{"title": title, "url": url} for title, url in plan.links]
        made.override_by_name(plan.key, [DynamicConfigValue("links", links)])


def _join(made: Any, plan: PanelPlan) -> None:
    """One row for each value of the key, one column for each query, called as its legend says."""
    from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

    count = len(plan.queries)
    if count > 1:
        made.with_transformation(DataTransformerConfig("joinByField", options={"byField": plan.key, "mode": "outer"}))
    values = [f"Value #{_letter(i)}" for i in range(count)] if count > 1 else ["Value"]
    renamed = {value: query.legend for value, query in zip(values, plan.queries, strict=True)}
    hidden = {f"Time{suffix}": True for suffix in ("", *(f" {i + 1}" for i in range(count)))}
    options = {"excludeByName": hidden, "renameByName": renamed}
    made.with_transformation(DataTransformerConfig("organize", options=options))


def _letter(position: int) -> str:
    return chr(ord("A") + position)
