"""The model registry, on MLflow: versions of a project's model, their aliases, and who moved them when and why."""

from tuneloop.registry.entries import Entry, Move, Named, Version
from tuneloop.registry.names import CHALLENGER, CHAMPION, PREVIOUS
from tuneloop.registry.registry import Registry

__all__ = ["CHALLENGER", "CHAMPION", "PREVIOUS", "Entry", "Move", "Named", "Registry", "Version"]
