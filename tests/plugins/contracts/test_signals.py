"""Signals among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

from tuneloop.api import Column, Tensor
from tuneloop.api.testing import (
    SignalContract,
)
from tuneloop.api.testing.signal_models import EMBEDDING, GENERATING, MODELS, SPANNING, TAGGING, ServedModel, speaking
from tuneloop.monitoring import signals
from tuneloop.preprocessing.clip import Clip
from tuneloop.preprocessing.picture import Picture

SOUND = ServedModel(
    (Column("audio", "audio"),),
    (Tensor("input_features", "float32", ("batch", 4, 6)),),
    ("high", "low"),
    tuple({"audio": Clip.read({"array": [0.1, -0.2] * n, "sampling_rate": 8000}, 1.0)} for n in (1, 5)),
    EMBEDDING,
)


PICTURE = ServedModel(
    (Column("image", "image"),),
    (Tensor("pixels", "uint8", ("batch", 3, 4, 4)),),
    ("cat", "dog"),
    tuple({"image": Picture.read({"array": [[9 * n, 200]] * n})} for n in (1, 5)),
    EMBEDDING,
)


for _cls in signals.tuneloop_signals():
    globals()[f"Test{_cls.__name__}"] = type(
        f"Test{_cls.__name__}",
        (SignalContract,),
        {"plugin": _cls, "models": (*MODELS, *TAGGING, *SPANNING, *GENERATING, SOUND, *speaking(SOUND.rows), PICTURE)},
    )
