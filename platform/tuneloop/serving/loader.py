"""From an artifact folder to a version that may serve: verified, loaded, warm, and right on its golden examples."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuneloop.api import ArtifactError, PluginError, RequestError, Row, ServingError, TuneloopError
from tuneloop.artifact import TRAINING, Artifact, PluginUse
from tuneloop.serving.device import Device
from tuneloop.serving.predictor import Predictor, value_count
from tuneloop.serving.versions.examples import (
    QUANTIZED_TOLERANCE,
    TOLERANCE,
    answer_each,
    first_difference,
    read_examples,
)

if TYPE_CHECKING:
    from tuneloop.plugins import PluginManager

Reason = Literal[
    "unreadable", "untrusted", "wrong-model", "wrong-hash", "corrupt", "signature", "plugin", "unloadable", "golden"
]
"""Why a version is refused: the values of the `reason` label of `tuneloop_channel_refusals_total`."""

_WARM_CALLS = 5
_FLOAT = "float32"


class VersionRefusedError(ServingError):
    """A version may not serve; `reason` is one of `Reason`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Loaded:
    """A version that is ready to serve.

    Attributes:
        version: Its number in the registry.
        artifact: The verified folder.
        predictor: The warm model.
        plugins: The plugins the manifest names, and no others.
        row_seconds: Cost of the longest row that the model takes, in a call of its own.
        value_seconds: Measured cost of one value of one input: rows of different length cost differently.
        joins: Whether rows may share a call. A dynamically quantised graph scales its numbers by the whole batch, so
            that a row's answer would depend on its neighbours.
    """

    version: str
    artifact: Artifact
    predictor: Predictor
    plugins: PluginManager
    row_seconds: float
    value_seconds: float
    joins: bool


def load_version(
    folder: Path,
    version: str,
    *,
    model: str | None = None,
    sha256: str | None = None,
    like: Artifact | None = None,
    device: Device = "cpu",
) -> Loaded:
    """Verify, load, warm and examine a version. Heavy: call it in a thread.

    Args:
        folder: The artifact folder; `training/` may be absent.
        version: Its number in the registry.
        model: The model this server serves; None: any.
        sha256: What the artifact's hash must be; None: any.
        like: The artifact served until now: the new one must take the same columns and answer the same task.
        device: Where it runs.

    Raises:
        VersionRefusedError: It may not serve; says why.
    """
    artifact = _verified(folder, model, sha256)
    if like is not None:
        _check_signature(artifact, like)
    plugins = serving_plugins(artifact.manifest.plugins)
    try:
        predictor = Predictor.open(artifact, plugins, threads=1, device=device)
        rows, answers = read_examples(folder)
    except TuneloopError as error:
        raise VersionRefusedError("unloadable", str(error)) from error
    except Exception as error:
        raise VersionRefusedError("unloadable", f"the artifact {folder} cannot be loaded: {error!r}") from error
    try:
        found = answer_each(predictor, rows)
    except (RequestError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise VersionRefusedError("golden", f"version {version} cannot answer its golden examples: {error}") from error
    quantized = any(v.served and name != _FLOAT for name, v in artifact.manifest.variants.items())
    if difference := first_difference(answers, found, QUANTIZED_TOLERANCE if quantized else TOLERANCE):
        raise VersionRefusedError("golden", f"version {version} answers its golden examples wrongly: {difference}")
    return Loaded(version, artifact, predictor, plugins, *_measure(predictor, rows), joins=not quantized)


def serving_plugins(uses: Sequence[PluginUse]) -> PluginManager:
    """The plugins that a manifest names for serving, and no others; what user or environment block stays blocked.

    Raises:
        VersionRefusedError: One is not installed in the very version, is blocked, or does not load.
    """
    from tuneloop.plugins import PluginManager, environment_rules, user_rules

    wanted: Mapping[str, str] = {use.distribution: use.version for use in uses if use.serving}
    try:
        manager = PluginManager(only=wanted, rules=[user_rules(), environment_rules()]).load()
    except PluginError as error:
        raise VersionRefusedError("plugin", str(error)) from error
    for distribution, version in wanted.items():
        records = [record for record in manager.records if record.distribution == distribution]
        wrong = [record for record in records if record.version != version]
        # Of several entry points one may be for training alone and fail here; what is missed is found by name later.
        if wrong or not any(record.status == "loaded" for record in records):
            said = "; ".join(record.reason for record in wrong or records) or "it is not installed here"
            raise VersionRefusedError("plugin", f"the model needs the plugins of {distribution} {version}: {said}")
    return manager


def _verified(folder: Path, model: str | None, sha256: str | None) -> Artifact:
    try:
        artifact = Artifact.open(folder, skip=(TRAINING,))
    except ArtifactError as error:
        raise VersionRefusedError("corrupt", str(error)) from error
    if sha256 is not None and artifact.sha256 != sha256:
        raise VersionRefusedError("wrong-hash", f"{folder} has the SHA-256 {artifact.sha256}, not {sha256}")
    if model is not None and artifact.manifest.model != model:
        raise VersionRefusedError(
            "wrong-model",
            f"the artifact {folder} is of model {artifact.manifest.model!r}; this server serves {model!r}",
        )
    return artifact


def _check_signature(artifact: Artifact, like: Artifact) -> None:
    new, old = (
        (a.manifest.task.name, sorted((c.name, c.kind) for c in a.manifest.signature.columns)) for a in (artifact, like)
    )
    if new != old:
        raise VersionRefusedError(
            "signature",
            f"the new version takes {new[1]} for {new[0]}; clients of this server send {old[1]} for {old[0]}",
        )


def _measure(predictor: Predictor, rows: Sequence[Row]) -> tuple[float, float]:
    """Seconds of a call with the longest row there may be, and the median of them for each value of a call's inputs.

    The golden examples may be short: what is cheap for them must not be run in the event loop for the longest.
    """
    preprocessor = predictor.preprocessor
    axes = [tensor.shape[1:] for tensor in preprocessor.tensors]
    values = sum(math.prod(preprocessor.longest if isinstance(n, str) else n for n in sizes) for sizes in axes)
    shares = []
    for _ in range(_WARM_CALLS):
        for row in rows[:_WARM_CALLS]:
            inputs = preprocessor.encode(preprocessor.check([row]))[0].inputs
            begun = time.perf_counter()
            predictor.run(inputs)
            shares.append((time.perf_counter() - begun) / value_count(inputs))
    value_seconds = statistics.median(shares)
    return value_seconds * values, value_seconds
