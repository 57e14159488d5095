"""The dashboard of a challenger beside its champion: in the shadow, or with a share of the requests."""

from __future__ import annotations

from tuneloop.monitoring.formula import CONFIDENCE_Z
from tuneloop.monitoring.grafana.model import MODEL_CHOICE
from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, Variable
from tuneloop.monitoring.grafana.series import MODEL, RANGE, increase, quantile, rate
from tuneloop.monitoring.metrics import AGREE, BOTH, CHALLENGER_ONLY, CHAMPION_ONLY, DIFFER

_CHALLENGER = f'{MODEL}, version=~"$challenger"'
_ROWS, _LABELS, _SECONDS = "tuneloop_shadow_rows_total", "tuneloop_shadow_labels_total", "tuneloop_shadow_seconds"


def challenger() -> BoardPlan:
    """Whether the challenger agrees, is right, is quick, and answers at all."""
    asked = f"sum by (version, mode) (tuneloop_challenger_workers{{{_CHALLENGER}}} > 0)"
    error = f"sum by (version, of) (increase(tuneloop_shadow_squared_error_total{{{_CHALLENGER}}}[{RANGE}]))"
    labels = increase(_LABELS, "version", _CHALLENGER)
    return BoardPlan(
        name="challenger",
        title="Tuneloop: challenger",
        description="A challenger beside its champion.",
        variables=(
            MODEL_CHOICE,
            Variable("challenger", f"tuneloop_challenger_workers{{{MODEL}}}", "version", several=True),
        ),
        notes=model_notes(),
        rows={
            "Asked": (
                PanelPlan(
                    "Workers that ask it",
                    "By version and mode.",
                    "stat",
                    (Query(asked, "{{version}}: {{mode}}"),),
                    width=8,
                ),
                PanelPlan(
                    "Rows in the shadow",
                    "What became of rows that were shown to a shadow; dropped ones found no time.",
                    "stacked",
                    (Query(rate(_ROWS, "outcome", _CHALLENGER), "{{outcome}}"),),
                    unit="rowsps",
                    width=8,
                ),
                PanelPlan(
                    "Requests it could not answer",
                    "By reason, in the time shown; the champion answered them.",
                    "stat",
                    (Query(increase("tuneloop_challenger_failures_total", "reason", _CHALLENGER), "{{reason}}"),),
                    width=8,
                ),
            ),
            "Not taken": (
                PanelPlan(
                    "Challengers refused",
                    "Challengers the channel named that were not taken, in the time shown.",
                    "stat",
                    (Query(increase("tuneloop_challenger_refusals_total", "reason", MODEL), "{{reason}}"),),
                    width=24,
                ),
            ),
            "Compared on the same rows": (
                PanelPlan(
                    "Agreement",
                    "Share of the shadow's answers that equal the champion's, in the time shown.",
                    "lines",
                    (
                        Query(
                            _share(_ROWS, f'outcome="{AGREE}"', f'outcome=~"{AGREE}|{DIFFER}"'), "version {{version}}"
                        ),
                    ),
                    unit="percentunit",
                ),
                PanelPlan(
                    "Right answers",
                    "Shares among rows that both answered and that have a label, in the time shown.",
                    "lines",
                    (
                        Query(_share(_LABELS, f'right=~"{BOTH}|{CHALLENGER_ONLY}"'), "challenger, version {{version}}"),
                        Query(
                            _share(_LABELS, f'right=~"{BOTH}|{CHAMPION_ONLY}"'), "champion, beside version {{version}}"
                        ),
                    ),
                    unit="percentunit",
                ),
                PanelPlan(
                    "Gain",
                    "Share of right answers, challenger less champion, on the same rows in the time shown, with its "
                    "95 % interval (normal approximation for pairs). One that holds 0 shows no difference.",
                    "band",
                    tuple(Query(_gain(end), name) for end, name in ((-1, "lower end"), (0, "share"), (1, "upper end"))),
                    unit="percentunit",
                ),
                PanelPlan(
                    "Time of a portion",
                    "The shadow's work on one portion of rows: half, and 99 of 100, are faster.",
                    "lines",
                    tuple(
                        Query(
                            quantile(share, _SECONDS, "version", _CHALLENGER),
                            f"p{share * 100:.0f} version {{{{version}}}}",
                        )
                        for share in (0.5, 0.99)
                    ),
                    unit="s",
                ),
                PanelPlan(
                    "Root mean squared error",
                    "Among rows that both answered and that have a label, in the time shown; for tasks that predict "
                    "numbers.",
                    "lines",
                    (
                        Query(
                            f"sqrt({error} / on (version) group_left () ({labels} > 0))", "{{of}}, version {{version}}"
                        ),
                    ),
                ),
            ),
        },
    )


def _share(metric: str, part: str, whole: str = "") -> str:
    every = f"{_CHALLENGER}, {whole}" if whole else _CHALLENGER
    return f"{increase(metric, 'version', f'{_CHALLENGER}, {part}')} / ({increase(metric, 'version', every)} > 0)"


def _gain(end: int) -> str:
    """How much more often the challenger was right, or an end of the interval of that; of all challengers chosen.

    With `b` and `c` rows that only one of the two got right, of `n`, the gain is `(c - b) / n` and its variance
    `(b + c - (c - b)^2 / n) / n^2`.
    """
    only = {
        who: f'sum(increase({_LABELS}{{{_CHALLENGER}, right="{who}"}}[{RANGE}]))'
        for who in (CHAMPION_ONLY, CHALLENGER_ONLY)
    }
    better, worse = only[CHALLENGER_ONLY], only[CHAMPION_ONLY]
    n = f"(sum(increase({_LABELS}{{{_CHALLENGER}}}[{RANGE}])) > 0)"
    gain = f"({better} - {worse}) / {n}"
    if not end:
        return gain
    spread = f"sqrt(clamp_min({better} + {worse} - ({better} - {worse}) ^ 2 / {n}, 0)) / {n}"
    return f"{gain} {'+' if end > 0 else '-'} {CONFIDENCE_Z:g} * {spread}"
