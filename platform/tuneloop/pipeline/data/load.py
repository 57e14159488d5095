"""`load`: read the source and apply the transforms. Its result is known by the rows, not by where they lie."""

from __future__ import annotations

from typing import Any

from tuneloop.api import DataError
from tuneloop.pipeline.data.about import told_by
from tuneloop.pipeline.data.rows import content_fingerprint, resolve_columns, write_rows
from tuneloop.pipeline.data.transforming import cleaned, transform_inputs
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, options, used


def _inputs(scope: Scope) -> dict[str, Any]:
    data = scope.project.data
    return {
        "source": used(scope, "data source", data.source),
        "options": options(data.options),
        "transforms": transform_inputs(scope, augmentations=False),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Always reads, so that changed data are seen; equal rows are kept once."""
    from datasets.utils import disable_progress_bars

    disable_progress_bars()
    data = context.project.data
    rows = context.plugins.create("data source", data.source, data.options).load(context.project.root)
    about = told_by(rows)
    rows = cleaned(context.scope, rows)
    if not len(rows):
        raise DataError(f"source {data.source!r} gave no rows; look at `data` in {context.project.root}/tuneloop.yaml")
    resolve_columns(context.project, rows.column_names)
    content = content_fingerprint(rows)
    name = f"rows-{content[:16]}"
    reused = (context.folder / name / "state.json").exists()
    if not reused:
        # The rows are moved into place whole: a killed attempt leaves none.
        half = fresh(context.folder / "half")
        write_rows(rows, half)
        half.rename(fresh(context.folder / name))
    return {
        "rows": name,
        "fingerprint": content,
        "content": content,
        "about": about,
        "reused": reused,
        "summary": {"rows": len(rows), "columns": len(rows.column_names)},
    }


STEP = Step("load", 1, (), _inputs, run, cached=False)
