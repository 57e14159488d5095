"""`python -m tests.bench.gate`: draw challengers, judge them by the gate's own checks, print Markdown tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from tests.bench.gate.world import CHAMPION, DIFFERING, SUPERIORITY, World, by_estimate, ruled_out, share

ROWS = (200, 1000, 5000)
GAINS = (-0.05, -0.02, 0.0, 0.02, 0.05)
ATTEMPTS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gate", description=__doc__)
    parser.add_argument("--trials", type=int, default=2000, help="of each figure")
    parser.add_argument("--seed", type=int, default=5, help="of everything drawn")
    given = parser.parse_args(arguments)
    sys.stdout.write("\n".join(lines(given.trials, given.seed)) + "\n")


def lines(trials: int, seed: int) -> Iterator[str]:
    """The tables."""
    yield (
        f"A champion of accuracy {CHAMPION}; {DIFFERING:.0%} of rows are answered differently by an equal challenger. "
        f"{trials} trials a figure.\n"
    )
    yield f"## An equal challenger is promoted within {ATTEMPTS} attempts\n"
    yield "| rows | which | " + " | ".join(SUPERIORITY) + " |"
    yield "|---|---|" + "---|" * len(SUPERIORITY)
    for rows in ROWS:
        for fresh in (True, False):
            world = World(rows, 0.0, fresh)
            found = [share(world, rule, attempts=ATTEMPTS, trials=trials, seed=seed) for rule in SUPERIORITY.values()]
            yield (
                f"| {rows:,} | {'new each time' if fresh else 'one holdout'} | "
                + " | ".join(f"{one:.1%}" for one in found)
                + " |"
            )
    yield "\n## A challenger is promoted under `superiority`\n"
    yield "| rows | attempts | " + " | ".join(f"{gain:+.0%}" for gain in GAINS) + " |"
    yield "|---|---|" + "---|" * len(GAINS)
    for rows in ROWS:
        for attempts in (1, 5):
            worlds, rule = [World(rows, gain, True) for gain in GAINS], SUPERIORITY["superiority, spent"]
            found = [share(world, rule, attempts=attempts, trials=trials, seed=seed) for world in worlds]
            yield f"| {rows:,} | {attempts} | " + " | ".join(f"{one:.1%}" for one in found) + " |"
    yield "\n## A challenger passes as not worse on one holdout, first attempt\n"
    yield "| rows | margin | prove | " + " | ".join(f"{gain:+.0%}" for gain in GAINS) + " |"
    yield "|---|---|---|" + "---|" * len(GAINS)
    for rows in ROWS:
        for margin in (0.01, 0.02):
            for name, rule in (("worse", by_estimate(margin)), ("not-worse", ruled_out(margin))):
                found = [share(World(rows, gain, False), rule, attempts=1, trials=trials, seed=seed) for gain in GAINS]
                yield f"| {rows:,} | {margin} | {name} | " + " | ".join(f"{one:.1%}" for one in found) + " |"


if __name__ == "__main__":
    main()
