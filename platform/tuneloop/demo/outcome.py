"""What the demo found, and the table that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tuneloop.demo.traffic import Reply


@dataclass(frozen=True, slots=True)
class Variant:
    """One exported form of a model: its size in bytes, and whether it is the one served."""

    name: str
    bytes: int
    served: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything the table shows. Times are in seconds.

    Attributes:
        known_before: Replies to messages in the known languages that are never learned from, by the first version.
        new_before: The same in the new languages.
        known_after: Replies to the same messages as `known_before`, by the new version.
        new_after: Replies to the same messages as `new_before`, by the new version.
        to_alert: From the first message in a new language to the alert's arrival at the loop.
        to_live: From the same moment to the new version answering.
        sent: Requests sent in all, and `failures` among them.
        pages: Addresses of what watches, each with its name.
    """

    known_before: Sequence[Reply]
    new_before: Sequence[Reply]
    known_after: Sequence[Reply]
    new_after: Sequence[Reply]
    alert: str
    to_alert: float
    to_live: float
    sent: int
    labels: int
    failures: Sequence[str]
    variants: Sequence[Variant]
    seconds: float
    peak_bytes: int
    report: Path | None
    bento: str
    folder: Path
    watched_by: str
    pages: Sequence[str]


def accuracy(replies: Sequence[Reply]) -> float:
    """The share of right answers."""
    return sum(reply.right for reply in replies) / len(replies)


def latency(replies: Sequence[Reply], share: float = 0.5) -> float:
    """The client's wall time in milliseconds that this share of requests stayed under."""
    ordered = sorted(reply.seconds for reply in replies)
    return 1000 * (median(ordered) if share == 0.5 else ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def show(outcome: Outcome, console: Console) -> None:
    """Print the table and how to go on."""
    o = outcome
    versions = Table(title="A desk that learned three languages", title_justify="left", title_style="bold")
    versions.add_column("")
    for name in ("before", "after"):
        versions.add_column(name, justify="right")
    versions.add_row("version", _versions(o.known_before), _versions(o.known_after))
    versions.add_row(
        "accuracy: English, Italian, Spanish, Portuguese",
        f"{accuracy(o.known_before):.3f}",
        f"{accuracy(o.known_after):.3f}",
    )
    versions.add_row(
        "accuracy: Dutch, Turkish, Indonesian", f"{accuracy(o.new_before):.3f}", f"{accuracy(o.new_after):.3f}"
    )
    versions.add_row(
        "latency seen by the client, median / p99",
        f"{latency(o.known_before):.0f} / {latency(o.known_before, 0.99):.0f} ms",
        f"{latency(o.known_after):.0f} / {latency(o.known_after, 0.99):.0f} ms",
    )
    console.print()
    console.print(versions)
    console.print(_facts(o))
    for failure in list(o.failures)[:5]:
        console.print(f"[red]failed:[/red] {failure}")
    console.print(
        f"\nThe project is yours: [bold]cd {o.folder}[/bold], then `tuneloop models`, `tuneloop runs`, "
        "`tuneloop ui`, `tuneloop serve`, `tuneloop loop status`.",
        soft_wrap=True,
    )


def _facts(o: Outcome) -> Table:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("first shifted message to alert", f"{o.to_alert:.0f} s ({o.alert})")
    facts.add_row("first shifted message to new version live", f"{o.to_live:.0f} s")
    facts.add_row("requests sent / failed", f"{o.sent} / {len(o.failures)}")
    facts.add_row("labels sent back, late", str(o.labels))
    for variant in o.variants:
        served = " (served)" if variant.served else ""
        facts.add_row(f"size, {variant.name}", f"{variant.bytes / 1e6:.1f} MB{served}")
    facts.add_row("watched by", o.watched_by)
    facts.add_row("time and most memory, all processes", f"{o.seconds:.0f} s, {o.peak_bytes / 2**30:.1f} GiB")
    facts.add_row("report", str(o.report or "none"))
    facts.add_row("Bento", o.bento or "none")
    return facts


def _versions(replies: Sequence[Reply]) -> str:
    return ", ".join(sorted({reply.version for reply in replies}))
