"""`python -m tests.bench.tasks`: every task on real data, through the product's own run, beside a plain reference."""

from __future__ import annotations

import argparse
import shlex
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.tasks.rows import ROWS, measured
from tests.bench.tasks.table import Kept, merged, read, table, write


def main() -> int:
    """Print the table; 1 where a reference was not reached or a data set could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tasks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(ROWS), default=list(ROWS), metavar="NAME",
                        help=f"The data sets: {', '.join(ROWS)}; none: only print what is kept.")  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="One training each; the split stays the same."
    )
    parser.add_argument("--quick", action="store_true", help="Few rows, to see that it works; the figures say nothing.")
    parser.add_argument("--keep", type=Path, help="JSON file: lines in it are printed too, new ones are added at once.")
    asked = parser.parse_args()
    kept = read(asked.keep) if asked.keep else []
    failed = 0
    for name in asked.only:
        sys.stderr.write(f"{name}\n")
        command = f"python -m tests.bench.tasks --only {name} --seeds {shlex.join(map(str, asked.seeds))}"
        command += " --quick" * asked.quick
        try:
            lines = measured(name, asked.seeds, quick=asked.quick)
        except Exception:
            # What takes hours goes on with the next data set.
            traceback.print_exc()
            failed += 1
            continue
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        kept = merged(kept, [Kept(line, date, command) for line in lines])
        if asked.keep:
            write(asked.keep, kept)
    sys.stdout.write(table(kept))
    return 1 if failed or not all(one.line.reached for one in kept) else 0


if __name__ == "__main__":
    raise SystemExit(main())
