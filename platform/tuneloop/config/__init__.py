"""`tuneloop.yaml` as a validated `Project`; every problem at once, each with its line."""

from tuneloop.config.blocking import block_in_project, unblock_in_project
from tuneloop.config.load import PROJECT_FILE, load_project, parse_project
from tuneloop.config.project import (
    Canary,
    Check,
    Data,
    Evaluate,
    Export,
    FindingName,
    Gate,
    Launch,
    Links,
    Model,
    Monitor,
    Project,
    Retrain,
    Rollout,
    RolloutLimits,
    Serve,
    Shadow,
    Split,
    Tune,
)
from tuneloop.config.schema import project_schema
from tuneloop.config.trust import project_plugins, read_rules

__all__ = [
    "PROJECT_FILE",
    "Canary",
    "Check",
    "Data",
    "Evaluate",
    "Export",
    "FindingName",
    "Gate",
    "Launch",
    "Links",
    "Model",
    "Monitor",
    "Project",
    "Retrain",
    "Rollout",
    "RolloutLimits",
    "Serve",
    "Shadow",
    "Split",
    "Tune",
    "block_in_project",
    "load_project",
    "parse_project",
    "project_plugins",
    "project_schema",
    "read_rules",
    "unblock_in_project",
]
