"""What a run chose and found, for its report, its card and its MLflow run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.pipeline.runs.step import StepContext
from tuneloop.report.choices import (
    CandidateLine,
    CandidatesPart,
    SearchPart,
    TrialLine,
    render_candidates,
    render_search,
)


def choice_sections(context: StepContext) -> dict[str, str]:
    """Sections of the report by name, as HTML; none where the project left nothing open."""
    sections = {}
    if "candidates" in context.done and (lines := context.done["candidates"].output["lines"]):
        sections["candidates"] = render_candidates(_candidates(context.done["candidates"].output, lines))
    if "search" in context.done:
        sections["search"] = render_search(_search(context.done["search"].output))
    return sections


def choice_params(context: StepContext) -> dict[str, Any]:
    """Parameters of the MLflow run."""
    return {f"found.{path}": shown(value) for path, value in context.scope.changes.items()}


def choice_metrics(context: StepContext) -> dict[str, float]:
    """Final numbers of the MLflow run: how the search went, and what the candidates reached and cost."""
    found: dict[str, float] = {}
    if "search" in context.done and (trials := context.done["search"].output["trials"]):
        output = context.done["search"].output
        values = {row["number"]: row["value"] for row in trials}
        found["search/trials"] = float(len(trials))
        found[f"search/best_{output['metric']}"] = values[output["best"]]
        if output["own"] is not None:
            found[f"search/own_{output['metric']}"] = values[output["own"]]
        found |= {f"search/importance/{path}": share for path, share in output["importance"].items()}
    for place, line in enumerate(context.done["candidates"].output["lines"] if "candidates" in context.done else ()):
        cost = {**(line["cost"] or {}), **({} if line["score"] is None else {"score": line["score"]})}
        found |= {f"candidate/{place}/{name}": float(value) for name, value in cost.items()}
    return found


def choice_files(context: StepContext) -> tuple[Path, ...]:
    """Files of the MLflow run: the table of trials."""
    if "search" not in context.done:
        return ()
    path = context.file("search", "trials.csv")
    return (path,) if path.exists() else ()


def shown(value: Any) -> str:
    """A value as people write it in the file."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _search(output: Mapping[str, Any]) -> SearchPart:
    return SearchPart(
        metric=output.get("metric", ""),
        maximize=output.get("maximize", True),
        found={path: shown(value) for path, value in output["found"].items()},
        taken=output["taken"],
        best=output.get("best"),
        own=output.get("own"),
        trials=tuple(
            TrialLine(
                number=row["number"],
                state=row["state"],
                value=row["value"],
                values={path: shown(value) for path, value in row["values"].items()},
                epochs=row["epochs"],
                seconds=row["seconds"],
                reason=row["reason"] or ("" if row["twin"] is None else f"as trial {row['twin']}"),
            )
            for row in output["trials"]
        ),
        importance=output.get("importance") or None,
    )


def _candidates(output: Mapping[str, Any], lines: list[dict[str, Any]]) -> CandidatesPart:
    return CandidatesPart(
        metric=output["metric"],
        maximize=output["maximize"],
        probe=output["probe"],
        lines=tuple(
            CandidateLine(
                name=str(line["model"]["base"]),
                options=line["options"],
                score=line["score"],
                parameters=line["cost"]["parameters"] if line["cost"] else None,
                latency_ms=line["cost"]["latency_ms"] if line["cost"] else None,
                memory_mb=line["cost"]["memory_mb"] if line["cost"] else None,
                verdict=line["verdict"],
                chosen=line["chosen"],
            )
            for line in lines
        ),
    )
