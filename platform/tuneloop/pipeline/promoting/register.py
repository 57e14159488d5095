"""`register`: the run, its figures, its report and the artifact go into the registry; a refused version too."""

from __future__ import annotations

from typing import Any

from tuneloop.artifact import Artifact
from tuneloop.pipeline.delivering.profile import open_artifact
from tuneloop.pipeline.documents.card import before_tuning
from tuneloop.pipeline.documents.choices import choice_files, choice_metrics, choice_params
from tuneloop.pipeline.documents.reporting import make_report
from tuneloop.pipeline.documents.warnings import warnings_of
from tuneloop.pipeline.evaluating.files import load_assessment, write_run_files
from tuneloop.pipeline.runs.records import REPORT, run_folder
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.plugins.kinds import OBSERVER_HOOKS
from tuneloop.registry import Entry, Registry


def _inputs(scope: Scope) -> dict[str, Any]:
    return {"run": scope.request.run}


def run(context: StepContext) -> dict[str, Any]:
    """Write the report, and register; asked twice for one run, it gives the same version."""
    done, project = context.done, context.project
    artifact = open_artifact(context)
    folder = run_folder(project.state, context.scope.request.run)
    report = folder / REPORT
    make_report(context, artifact, report)
    files = (*write_run_files(context, artifact, folder), *choice_files(context))
    gate = done["gate"].output
    figures = {**done["profile"].output["figures"], **gate["figures"]}
    entry = Entry(
        run=context.scope.request.run,
        artifact=artifact,
        passed=gate["passed"],
        params={
            "task": project.task,
            "base_model": project.model.base,
            "strategy": project.tune.strategy,
            "seed": project.tune.seed,
            "rows": done["split"].output["rows"],
            "data": artifact.manifest.data.fingerprint,
            "served": done["verify"].output["served"],
            "parent": artifact.manifest.lineage.parent,
            **({"teacher": teacher.sha256} if (teacher := artifact.manifest.lineage.teacher) else {}),
            **_plugins(context, artifact),
            **{f"tune.{name}": value for name, value in project.tune.options.model_dump(mode="json").items()},
            **{f"model.{name}": value for name, value in project.model.options.model_dump(mode="json").items()},
            **choice_params(context),
        },
        metrics={
            **{f"test/{name}": value for name, value in artifact.manifest.metrics.items()},
            **{f"{split}/{name}": value for split, found in gate["metrics"].items() for name, value in found.items()},
            **{
                f"{split}/{name}_{end}": one[end]
                for split, found in figures.items()
                for name, one in found.items()
                for end in ("low", "high")
            },
            **{f"probe/{name}": value for name, value in done["baseline"].output["probe"].items()},
            **{f"constant/{name}": value for name, value in done["baseline"].output["constant"].items()},
            **choice_metrics(context),
        },
        history=tuple(done["tune"].output["history"]),
        report=report,
        files=files,
        against=(gate["against"], gate["attempt"]) if gate["against"] else None,
    )
    version = Registry(project).register(entry)
    return {
        "version": version.number,
        "report": str(report),
        "warnings": list(warnings_of(load_assessment(context), before_tuning(context))),
        "summary": {"version": version.number, "gate": version.gate},
    }


def _plugins(context: StepContext, artifact: Artifact) -> dict[str, str]:
    """Each distribution whose plugins made the version or watched the run, with its own version.

    Observers are no part of the artifact: a version made while one is installed is the same without it.
    """
    watched = [record for hook in OBSERVER_HOOKS for record in context.plugins.call_order(hook)]
    found = {record.distribution: record.version for record in watched}
    found |= {use.distribution: use.version for use in artifact.manifest.plugins}
    return {f"plugin.{name}": version for name, version in sorted(found.items())}


_AFTER = ("load", "check", "split", "baseline", "tune", "evaluate", "export", "verify", "profile", "gate")

STEP = Step("register", 2, _AFTER, _inputs, run, cached=False)
