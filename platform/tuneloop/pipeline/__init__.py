"""The pipeline: from rows to a registered, packaged version; durable and resumable."""

from tuneloop.pipeline.promoting.promotion import channel_path, promote, publish, rollback
from tuneloop.pipeline.runs.progress import Listener, Progress
from tuneloop.pipeline.runs.prune import Pruned, prune_steps
from tuneloop.pipeline.runs.records import RunRecord, list_runs, new_run_id
from tuneloop.pipeline.runs.run import (
    RunResult,
    project_changed,
    register_workflows,
    resume_run,
    run_pipeline,
    start_run,
)

__all__ = [
    "Listener",
    "Progress",
    "Pruned",
    "RunRecord",
    "RunResult",
    "channel_path",
    "list_runs",
    "new_run_id",
    "project_changed",
    "promote",
    "prune_steps",
    "publish",
    "register_workflows",
    "resume_run",
    "rollback",
    "run_pipeline",
    "start_run",
]
