"""What a dashboard and its panels are, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lines", "band", "stacked", "stat", "bars", "heatmap", "table"]


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called; a `{{label}}` in the legend is replaced by Grafana."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class PanelPlan:
    """One panel.

    Attributes:
        kind: `lines` over time, `band` for an interval (queries: lower, middle, upper, others), `stacked` areas,
            `stat` for the newest values, `bars` for one bar a label, `heatmap` for one row a series, `table`.
        unit: Grafana's name of the unit.
        width: Of 24 columns.
        key: Label by which the queries of `bars` and `table` are joined.
        top: Upper end of a heat map's colours.
        each_version: Whether the panel is repeated for each version.
        units: Unit by legend, where a table's columns differ.
        links: Title and address of what a value leads to.
    """

    title: str
    description: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 12
    key: str = ""
    top: float = 0.0
    each_version: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard: the values of a label of a series.

    Attributes:
        series: A PromQL selector.
        label: Whose values are offered; empty: the one that is called as the variable.
        several: Whether several values, or all, can be chosen.
    """

    name: str
    series: str
    label: str = ""
    several: bool = False
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation: a mark wherever the expression has a value that is not 0. `title` and `text` are as legends."""

    name: str
    expression: str
    title: str
    text: str
    color: str


@dataclass(frozen=True, slots=True)
class BoardPlan:
    """One dashboard; `rows` are its panels by the title of their row."""

    name: str
    title: str
    description: str
    rows: Mapping[str, tuple[PanelPlan, ...]]
    variables: tuple[Variable, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def uid(self) -> str:
        """What names the dashboard in Grafana's addresses."""
        return board_uid(self.name)


def board_uid(name: str) -> str:
    """The uid of a dashboard, by its short name such as `drift`."""
    return f"tuneloop-{name}"
