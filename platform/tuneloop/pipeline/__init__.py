"""The pipeline: from rows to a registered, packaged version; durable and resumable."""

from tuneloop.pipeline.progress import Listener, Progress
from tuneloop.pipeline.promotion import channel_path, promote, publish, rollback
from tuneloop.pipeline.prune import Pruned, prune_steps
from tuneloop.pipeline.records import RunRecord, list_runs, new_run_id
from tuneloop.pipeline.run import (
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
