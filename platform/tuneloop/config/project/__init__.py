"""What a project file says, in frozen types: everything checked, every default filled in."""

from tuneloop.config.project.data import Check, Data, FindingName, Split
from tuneloop.config.project.delivery import Export, Gate, Proof, Serve
from tuneloop.config.project.project import Project
from tuneloop.config.project.rollout import Canary, Rollout, RolloutLimits, Shadow
from tuneloop.config.project.training import Evaluate, Launch, Model, Tune
from tuneloop.config.project.watching import Links, Monitor, Retrain, Trigger

__all__ = [
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
    "Proof",
    "Retrain",
    "Rollout",
    "RolloutLimits",
    "Serve",
    "Shadow",
    "Split",
    "Trigger",
    "Tune",
]
