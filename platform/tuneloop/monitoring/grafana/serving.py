"""The dashboard of a server's insides: queue, batches, changes of version, the prediction store."""

from __future__ import annotations

from tuneloop.monitoring.grafana.model import MODEL_CHOICE, VERSION_CHOICE
from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query
from tuneloop.monitoring.grafana.series import MODEL, RATE, VERSION, increase, rate


def serving() -> BoardPlan:
    """What an operator looks at when latency rises."""
    calls = rate("tuneloop_batches_total", "version", VERSION)
    return BoardPlan(
        name="serving",
        title="Tuneloop: serving",
        description="Queue, batches, changes of version and the prediction store.",
        variables=(MODEL_CHOICE, VERSION_CHOICE),
        notes=model_notes(),
        rows={
            "Batches": (
                PanelPlan(
                    "Rows that wait",
                    "Rows in the queues of all workers, looked at once a second.",
                    "lines",
                    (Query(f"sum by (version) (tuneloop_queue_rows{{{VERSION}}})", "version {{version}}"),),
                    width=8,
                ),
                PanelPlan(
                    "Rows in a batch",
                    "Mean over the calls of the model: 1 where rows are not joined.",
                    "lines",
                    (
                        Query(
                            f"{rate('tuneloop_batch_rows_total', 'version', VERSION)} / ({calls} > 0)",
                            "version {{version}}",
                        ),
                    ),
                    width=8,
                ),
                PanelPlan("Calls", "Calls of the model.", "lines", (Query(calls, "version {{version}}"),), width=8),
            ),
            "Versions": (
                PanelPlan(
                    "Swaps",
                    "Changes of the version served, in the time shown; each worker counts its own.",
                    "stat",
                    (Query(increase("tuneloop_swaps_total", "model", MODEL), "swaps"),),
                    width=8,
                ),
                PanelPlan(
                    "Versions refused",
                    "Versions the channel named that were not taken, in the time shown; the one before goes on.",
                    "stat",
                    (Query(increase("tuneloop_channel_refusals_total", "reason", MODEL), "{{reason}}"),),
                    width=8,
                ),
                PanelPlan(
                    "Prediction store",
                    "Predictions that never reached the store, and failed writes to it, per second.",
                    "lines",
                    (
                        Query(f"sum(rate(tuneloop_store_dropped_rows_total{{{MODEL}}}[{RATE}]))", "rows dropped"),
                        Query(f"sum(rate(tuneloop_store_errors_total{{{MODEL}}}[{RATE}]))", "failed writes"),
                    ),
                    width=8,
                ),
            ),
        },
    )
