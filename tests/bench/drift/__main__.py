"""`python -m tests.bench.drift`: play every world, print the tables, write them as Markdown and JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.drift.evidently_check import check
from tests.bench.drift.many import play
from tests.bench.drift.measure import measure
from tests.bench.drift.table import as_json, markdown
from tests.bench.drift.world import WORLDS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.drift", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench-drift"), help="folder of the tables")
    parser.add_argument("--seed", type=int, default=20, help="of everything drawn")
    parser.add_argument("--part", type=float, default=1.0, help="share of the days and trials, for a quick look")
    given = parser.parse_args(arguments)
    begun = time.monotonic()

    def told(text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - begun:6.0f} s] {text}\n")

    given.output.mkdir(parents=True, exist_ok=True)
    agreement = check(given.seed)
    results = []
    for place, world in enumerate(WORLDS):
        days, trials = (max(1, round(number * given.part)) for number in (world.days, world.trials))
        results.append(measure(replace(world, days=days, trials=trials), given.seed + place, told))
        _write(given.output, markdown(results, agreement), as_json(results, agreement, given.seed))
    foldings = play(given.seed, given.part)
    text = markdown(results, agreement, foldings)
    _write(given.output, text, as_json(results, agreement, given.seed, foldings))
    sys.stdout.write(text)


def _write(folder: Path, text: str, document: dict[str, Any]) -> None:
    (folder / "drift.md").write_text(text)
    (folder / "drift.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
