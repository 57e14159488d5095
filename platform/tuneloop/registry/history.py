"""Who moved the champion, or tried a challenger, when and why: JSON in a tag of the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tuneloop.registry.entries import Move
from tuneloop.registry.names import HISTORY

if TYPE_CHECKING:
    from mlflow import MlflowClient

_KEPT_MOVES = 50


def read_moves(client: MlflowClient, name: str) -> tuple[Move, ...]:
    """The moves of a model, oldest first."""
    tags = client.get_registered_model(name).tags
    return tuple(Move(**move) for move in json.loads(tags.get(HISTORY, "[]")))


def is_last(client: MlflowClient, name: str, move: Move) -> bool:
    """Whether the newest move is this one, whatever the time of each."""
    tags = client.get_registered_model(name).tags
    last = json.loads(tags.get(HISTORY, "[]"))[-1:]
    return bool(last) and Move(**{**last[0], "when": move.when}) == move


def note_move(client: MlflowClient, name: str, move: Move) -> None:
    """Add a move; the newest are kept."""
    tags = client.get_registered_model(name).tags
    moves = [*json.loads(tags.get(HISTORY, "[]")), {field: getattr(move, field) for field in Move.__slots__}]
    client.set_registered_model_tag(name, HISTORY, json.dumps(moves[-_KEPT_MOVES:]))
