"""What the report of a run shows, gathered from its steps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.artifact import MODEL, Artifact
from tuneloop.pipeline.data.rows import model_rows
from tuneloop.pipeline.documents.card import before_tuning, energy_words, findings_of
from tuneloop.pipeline.documents.choices import choice_sections
from tuneloop.pipeline.documents.warnings import warnings_of
from tuneloop.pipeline.evaluating.files import energy_of, load_assessment
from tuneloop.pipeline.evaluating.generating import as_requests
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.evaluating.tables import FOLDER
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import StepContext
from tuneloop.report import ColumnRow, GainRow, LabelRow, Report, SliceRow, VariantRow, write_report
from tuneloop.report.evaluation import (
    CalibrationPart,
    EvaluationPart,
    FoldsPart,
    render_calibration,
    render_errors,
    render_folds,
)
from tuneloop.serving.generating.predictor import open_predictor

_TIMED_ROWS = 50


def make_report(context: StepContext, artifact: Artifact, target: Path) -> None:
    """Write the report of a run whose gate has decided."""
    done, gate = context.done, context.done["gate"].output
    assessment = load_assessment(context)
    scorer = Scorer(context.project, context.plugins)
    tuned, probe = done["evaluate"].output["metrics"], done["baseline"].output
    columns = {
        "constant (test)": probe["constant"],
        f"{before_tuning(context)} (test)": probe["probe"],
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
        intervals=_intervals(context, scorer),
        gains=_gains(context, assessment),
        energy=energy_words(energy_of(context)),
        warnings=warnings_of(assessment, before_tuning(context)),
        sections={**choice_sections(context), **_folds(context), **_sections(assessment)},
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
        label_counts=tuple(LabelRow(*one) for one in done["evaluate"].output["confusion"].get("by_label", ())),
        parity=done["verify"].output["parity"],
        variants=_variants(context, artifact, scorer.deciding),
        rows=done["split"].output["rows"],
        left_out=done["split"].output["left_out"],
        findings=tuple((found["name"], found["text"], tuple(found["rows"])) for found in findings_of(context)),
        columns=tuple(ColumnRow(**column) for column in done["check"].output["columns"]),
        steps=tuple((name, result.seconds, result.reused) for name, result in done.items()),
        parent=artifact.manifest.lineage.parent,
        data=artifact.manifest.data.fingerprint,
    )
    write_report(report, target)


def _intervals(context: StepContext, scorer: Scorer) -> dict[str, dict[str, tuple[float, float]]]:
    figures = {**context.done["profile"].output["figures"], **context.done["gate"].output["figures"]}
    return {
        name: {
            f"served ({split})": (found[name]["low"], found[name]["high"])
            for split, found in figures.items()
            if name in found
        }
        for name in scorer.metrics
    }


def _gains(context: StepContext, assessment: Mapping[str, Any]) -> tuple[GainRow, ...]:
    """Over the linear probe on test, and over the champion where the gate compared."""
    compared = [(before_tuning(context), "test", assessment["gains"].get("probe"))]
    compared += [("champion", split, found) for split, found in context.done["gate"].output["comparisons"].items()]
    return tuple(
        GainRow(
            over=over,
            split=split,
            metric=found["metric"],
            before=found["champion"],
            served=found["challenger"],
            gain=found["gain"],
            low=found["low"],
            high=found["high"],
        )
        for over, split, found in compared
        if found is not None
    )


def _folds(context: StepContext) -> dict[str, str]:
    if "crossvalidate" not in context.done:
        return {}
    found = context.done["crossvalidate"].output
    return {"folds": render_folds(FoldsPart(found["rows"], found["metrics"]))}


def _sections(assessment: Mapping[str, Any]) -> dict[str, str]:
    sections = {}
    calibration = assessment["calibration"]
    if calibration is not None:
        bins = {
            when: [(one["confidence"], one["accuracy"], one["rows"]) for one in calibration[when]]
            for when in ("before", "after")
        }
        sections["calibration"] = render_calibration(
            CalibrationPart(
                temperature=calibration["value"],
                reason=calibration["reason"],
                error_before=calibration["error_before"],
                error_after=calibration["error_after"],
                before=bins["before"],
                after=bins["after"],
            )
        )
    sections["errors"] = render_errors(
        EvaluationPart(
            rows=assessment["rows"],
            splits=assessment["splits"],
            error=assessment["error"] or "",
            weight=assessment.get("weight", ""),
            looked=assessment["looked"],
            slices=assessment["slices"],
            confusions=assessment["confusions"],
            mistakes=assessment["mistakes"],
            labels=assessment["labels"],
            files=f"{FOLDER}/",
        )
    )
    return sections


def _variants(context: StepContext, artifact: Artifact, metric: str) -> tuple[VariantRow, ...]:
    measured = context.done["verify"].output["differences"]
    return tuple(
        VariantRow(
            name=name,
            megabytes=variant.bytes / 1e6,
            metric=variant.metrics.get(metric),
            milliseconds=_latency(context, name),
            served=variant.served,
            reason=variant.reason,
            **(_distance(measured[name]) if name in measured else {}),
        )
        for name, variant in artifact.manifest.variants.items()
    )


def _distance(found: Mapping[str, Any]) -> dict[str, float]:
    largest = found["max_difference"]
    return {
        "difference": float("inf") if largest is None else largest,
        "changed": found["changed_answers"] / found["rows"],
    }


def _latency(context: StepContext, variant: str) -> float | None:
    """Median time of one row in one call, in milliseconds, on one thread."""
    model = context.file("export", variant) / MODEL
    if not model.exists():
        return None
    predictor = open_predictor(model, parts.load_task(context), parts.load_preprocessor(context), threads=1)
    rows = parts.split_rows(context, "test")
    rows = rows.select(range(min(len(rows), _TIMED_ROWS)))
    samples = as_requests(predictor.preprocessor, model_rows(rows, parts.columns_of(context, rows)))
    predictor.predict(samples[:1])
    taken = []
    for sample in samples:
        begun = time.perf_counter()
        predictor.predict([sample])
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2] * 1e3
