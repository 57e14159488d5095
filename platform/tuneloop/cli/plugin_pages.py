"""What `tuneloop plugins` prints."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.utils import canonicalize_name
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tuneloop.api import Plugin, TuneloopError, hookspecs
from tuneloop.cli.option_rows import option_rows
from tuneloop.plugins import KINDS, PluginManager, PluginRecord, nearest
from tuneloop.plugins.kinds import hook_arguments

COLORS = {"loaded": "green", "blocked": "yellow", "incompatible": "red", "conflict": "red", "failed": "red"}
SLOW_IMPORT = 1.0
"""Seconds from which on an import is called slow."""


def print_list(console: Console, records: Sequence[PluginRecord]) -> None:
    """The table of all plugins, and a line for each that is not loaded."""
    if not records:
        console.print("No plugins are installed, not even Tuneloop's own: reinstall it with `pip install tuneloop`.")
        return
    table = _table("plugin", "status", "distribution", "from", "brings")
    for record in records:
        table.add_row(record.name, _status(record), _distribution(record), record.origin, escape(_brings(record)))
    console.print(table)
    _print_reasons(console, records)


def print_doctor(console: Console, records: Sequence[PluginRecord], *, traceback: bool) -> bool:
    """The table with import times, and every reason; says whether something is wrong."""
    table = _table("plugin", "status", "distribution", "import", "file")
    table.columns[3].justify = "right"
    for record in records:
        slow = record.import_seconds >= SLOW_IMPORT
        spent = f"{record.import_seconds * 1000:,.0f} ms" if record.import_seconds else "-"
        shown = f"[yellow]{spent} slow[/]" if slow else spent
        table.add_row(record.name, _status(record), _distribution(record), shown, escape(record.source or "-"))
    console.print(table)
    _print_reasons(console, records, traceback=traceback)
    wrong = [record for record in records if record.status not in ("loaded", "blocked")]
    if wrong:
        count = "1 plugin has a problem." if len(wrong) == 1 else f"{len(wrong)} plugins have problems."
        more = " --traceback shows where each error was raised." if any(r.traceback for r in wrong) else ""
        console.print(f"\n[red]{count}[/] All others work.{'' if traceback else more}")
    elif not records:
        console.print(
            "[red]No plugins are installed[/], not even Tuneloop's own: pip install --force-reinstall tuneloop"
        )
    else:
        console.print("\n[green]Nothing is wrong.[/]")
    return bool(wrong) or not records


def print_page(console: Console, plugins: PluginManager, name: str) -> None:
    """The page of a hook, a plugin, a distribution or a class.

    Raises:
        TuneloopError: Nothing has this name; offers the nearest.
    """
    if name in hook_arguments():
        _print_hook(console, plugins, name)
        return
    classes = [(info.kind, name) for info in KINDS if any((info.kind, name) in r.classes for r in plugins.records)]
    for record in [] if classes and not _of_name(plugins.records, name) else records_of(plugins.records, name):
        _print_record(console, record)
    for kind, each in classes:
        cls, record = plugins.get(kind, each), plugins.provider(kind, each)
        console.print(f"\n[bold]{kind} {escape(each)}[/]  of {escape(record.label)}")
        console.print(escape(_summary(cls.__doc__)))
        _print_options(console, cls)


def records_of(records: Sequence[PluginRecord], name: str) -> list[PluginRecord]:
    """The plugins that a name means: theirs, their distribution's, or that of a class or hook they bring.

    Raises:
        TuneloopError: None has it; offers the nearest.
    """
    found = _of_name(records, name) or [
        record for record in records if name in record.hooks or name in {each for _, each in record.classes}
    ]
    if not found:
        known = {*hook_arguments(), *(text for record in records for text in (record.name, record.distribution))}
        known |= {each for record in records for _, each in record.classes}
        raise TuneloopError(
            f"there is no plugin, class or hook named {name!r}.{nearest(name, known)} "
            "`tuneloop plugins list` shows all."
        )
    return found


def _of_name(records: Sequence[PluginRecord], name: str) -> list[PluginRecord]:
    key = canonicalize_name(name)
    return [record for record in records if name == record.name or key == canonicalize_name(record.distribution)]


def _print_hook(console: Console, plugins: PluginManager, name: str) -> None:
    arguments = ", ".join(hook_arguments()[name])
    console.print(f"[bold]{name}[/]({arguments})")
    console.print(escape(_summary(getattr(hookspecs, name).__doc__)))
    order = plugins.call_order(name)
    if not order:
        console.print("No loaded plugin implements it.")
        return
    console.print("\nCalled in this order:" if arguments else "\nImplemented by:")
    kind = next((info.kind for info in KINDS if info.hook == name), None)
    for position, record in enumerate(order, start=1):
        classes = ", ".join(each for of, each in record.classes if of == kind)
        console.print(f"  {position}. {escape(record.label)}{': ' if classes else ''}{escape(classes)}")


def _print_record(console: Console, record: PluginRecord) -> None:
    console.print(f"[bold]{escape(record.name)}[/]  {_status(record)}")
    lines = {
        "reason": record.reason,
        "distribution": f"{record.distribution} {record.version}",
        "from": _origin(record),
        "module": record.module,
        "file": record.source or "not found",
        "hooks": ", ".join(record.hooks),
        "brings": _brings(record),
        "import": f"{record.import_seconds * 1000:,.0f} ms" if record.import_seconds else "",
    }
    for title, text in lines.items():
        if text:
            console.print(f"  {title:<13}{escape(text)}", soft_wrap=True)
    if record.traceback:
        console.print(escape(_indent(record.traceback)), style="dim", soft_wrap=True)


def _print_options(console: Console, cls: type[Plugin]) -> None:
    rows = option_rows(cls)
    if not rows:
        console.print("It has no options.")
        return
    table = _table("option", "type", "default", "what it does")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _print_reasons(console: Console, records: Sequence[PluginRecord], *, traceback: bool = False) -> None:
    # Both sides of a conflict have one reason.
    for reason in dict.fromkeys(record.reason for record in records if record.reason):
        console.print()
        together = [record for record in records if record.reason == reason]
        for record in together:
            console.print(f"[{COLORS[record.status]}]{record.status}[/]  {escape(record.label)}", soft_wrap=True)
        console.print(escape(_indent(reason)), soft_wrap=True)
        for record in together:
            if traceback and record.traceback:
                console.print(escape(_indent(record.traceback)), style="dim", soft_wrap=True)


def _brings(record: PluginRecord) -> str:
    kinds: dict[str, list[str]] = {}
    for kind, name in record.classes:
        kinds.setdefault(kind, []).append(name)
    brought = [f"{kind}: {', '.join(names)}" for kind, names in kinds.items()]
    of_kinds = {info.hook for info in KINDS}
    return "; ".join([*brought, *(hook for hook in record.hooks if hook not in of_kinds)]) or "-"


def _origin(record: PluginRecord) -> str:
    """How it was installed, and from where."""
    index = "from a package index" if record.origin == "wheel" else ""
    return f"{record.origin} {record.came_from or index}".rstrip()


def _status(record: PluginRecord) -> str:
    return f"[{COLORS[record.status]}]{record.status}[/]"


def _distribution(record: PluginRecord) -> str:
    return escape(f"{record.distribution} {record.version}")


def _summary(doc: str | None) -> str:
    return (doc or "").strip().partition("\n\n")[0].replace("\n", " ")


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    return table
