"""What the report of a run shows, gathered from its steps."""

from __future__ import annotations

import time
from pathlib import Path

from tuneloop.artifact import MODEL, Artifact
from tuneloop.pipeline import parts
from tuneloop.pipeline.rows import model_rows
from tuneloop.pipeline.scoring import Scorer
from tuneloop.pipeline.step import StepContext
from tuneloop.report import Report, SliceRow, VariantRow, write_report
from tuneloop.serving.predictor import Predictor

_TIMED_ROWS = 50


def make_report(context: StepContext, artifact: Artifact, target: Path) -> None:
    """Write the report of a run whose gate has decided."""
    done, gate = context.done, context.done["gate"].output
    scorer = Scorer(context.project, context.plugins)
    tuned, probe = done["evaluate"].output["metrics"], done["baseline"].output
    columns = {
        "constant (test)": probe["constant"],
        "probe (test)": probe["probe"],
        "tuned (test)": tuned["test"],
        "served (test)": artifact.manifest.metrics,
        **{f"served ({split})": found for split, found in gate["metrics"].items()},
    }
    for split, found in gate["comparisons"].items():
        columns[f"champion ({split})"] = {found["metric"]: found["champion"]}
    report = Report(
        project=context.project.name,
        run=context.scope.request.run,
        started=context.scope.request.started,
        task=context.project.task,
        base_model=context.project.model.base,
        strategy=context.project.tune.strategy,
        sha256=artifact.sha256,
        passed=gate["passed"],
        checks=tuple((check["passed"], check["text"]) for check in gate["checks"]),
        attempt=gate["attempt"],
        slices=tuple(
            SliceRow(
                name,
                found["rows"],
                found["metric"],
                found["champion"],
                found["challenger"],
                found["gain"],
                found["low"],
                found["high"],
            )
            for name, found in gate["slices"].items()
        ),
        metrics={
            name: {column: values[name] for column, values in columns.items() if name in values}
            for name in scorer.metrics
        },
        metric_columns=tuple(columns),
        maximize={name: scorer.maximize(name) for name in scorer.metrics},
        history=tuple(done["tune"].output["history"]),
        best_epoch=float(done["tune"].output["best_epoch"]),
        confusion_labels=tuple(done["evaluate"].output["confusion"].get("labels", ())),
        confusion=tuple(tuple(row) for row in done["evaluate"].output["confusion"].get("counts", ())),
        parity=done["verify"].output["parity"],
        variants=_variants(context, artifact, scorer.deciding),
        rows=done["split"].output["rows"],
        left_out=done["split"].output["left_out"],
        findings=tuple(
            (found["name"], found["text"], tuple(found["rows"])) for found in done["check"].output["findings"]
        ),
        steps=tuple((name, result.seconds, result.reused) for name, result in done.items()),
        parent=artifact.manifest.lineage.parent,
        data=artifact.manifest.data.fingerprint,
    )
    write_report(report, target)


def _variants(context: StepContext, artifact: Artifact, metric: str) -> tuple[VariantRow, ...]:
    return tuple(
        VariantRow(
            name=name,
            megabytes=variant.bytes / 1e6,
            metric=variant.metrics.get(metric),
            milliseconds=_latency(context, name),
            served=variant.served,
            reason=variant.reason,
        )
        for name, variant in artifact.manifest.variants.items()
    )


def _latency(context: StepContext, variant: str) -> float | None:
    """Median time of one row in one call, in milliseconds, on one thread."""
    model = context.file("export", variant) / MODEL
    if not model.exists():
        return None
    predictor = Predictor(model, parts.load_task(context), parts.load_preprocessor(context), threads=1)
    rows = parts.split_rows(context, "test")
    rows = rows.select(range(min(len(rows), _TIMED_ROWS)))
    samples = model_rows(rows, parts.columns_of(context, rows))
    predictor.predict(samples[:1])
    taken = []
    for sample in samples:
        begun = time.perf_counter()
        predictor.predict([sample])
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2] * 1e3
