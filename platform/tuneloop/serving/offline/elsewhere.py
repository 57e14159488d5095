"""Windows answered by other processes: the same scorer, on the same windows, so that the answers are the same bits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

from tuneloop.api import Answer, Launcher, ServingError
from tuneloop.artifact import MANIFEST
from tuneloop.serving.loader import Loaded, load_version
from tuneloop.serving.offline.inputs import Window
from tuneloop.serving.offline.record import Record
from tuneloop.serving.offline.scorer import Refusal, Scorer

Answered: TypeAlias = tuple[Window, list[Answer | None], dict[int, Refusal]]
"""A window, an answer for each of its records, and why the others were refused."""

ENTRY = f"{__name__}:answer_windows"


def answered_by(
    launcher: Launcher, loaded: Loaded, batch_rows: int, parallel: int, windows: Iterable[Window]
) -> Generator[Answered, None, None]:
    """Windows answered by a launcher's processes, in order.

    Args:
        launcher: Where they are.
        loaded: The model; each process loads it again, from the same folder, and examines it as a server does.
        batch_rows: Rows of one call.
        parallel: Processes.
        windows: Read as they are needed.

    Raises:
        TuneloopError: A process cannot load the model, or the launcher cannot go on.
    """
    settings = {
        "folder": str(loaded.artifact.folder.resolve()),
        "sha256": loaded.artifact.sha256,
        "version": loaded.version,
        "device": loaded.predictor.device,
        "batch_rows": batch_rows,
    }
    under_way: deque[Window] = deque()

    def items() -> Iterator[dict[str, Any]]:
        for window in windows:
            under_way.append(window)
            yield {"rows": window.rows, "broken": [record.broken for record in window.records]}

    for found in launcher.run_stream(ENTRY, settings, items(), parallel):
        refused = {place: Refusal(*said) for place, said in found["refused"].items()}
        yield under_way.popleft(), found["answers"], refused


def answer_windows(settings: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What answers a window, in a process of the launcher.

    Raises:
        ServingError: The model's folder is not on this machine.
        VersionRefusedError: It may not serve here.
    """
    folder = Path(settings["folder"])
    if not (folder / MANIFEST).is_file():
        raise ServingError(
            f"there is no model in {folder} on a machine of the cluster: every machine that takes part must see the "
            "project's folder, or a copy of the artifact at the same path"
        )
    loaded = load_version(folder, settings["version"], sha256=settings["sha256"], device=settings["device"])
    # One thread: what a process is to use, the launcher says by the number of processes.
    scorer = Scorer(loaded, ThreadPoolExecutor(1), settings["batch_rows"])

    def answer(item: dict[str, Any]) -> dict[str, Any]:
        records = tuple(Record("", "row", place, {}, broken) for place, broken in enumerate(item["broken"], 1))
        answers, refused = scorer.answer(scorer.prepare(Window(1, records, tuple(item["rows"]), 0.0)))
        return {"answers": answers, "refused": {place: (r.reason, r.field) for place, r in refused.items()}}

    return answer
