"""`tuneloop doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tuneloop.cli.project import console, load, locate, project_option

_MARKS = {"ok": "[green]ok[/]", "info": "[dim]info[/]", "warning": "[yellow]warning[/]", "problem": "[red]problem[/]"}


@click.command()
@project_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
@click.pass_context
def doctor(ctx: click.Context, project: Path | None, as_json: bool) -> None:
    """Check the installation: Python, extras, ONNX Runtime, torch, plugins, and the project's ports.

    Exit code 1 where something is wrong. A missing extra is no problem until a command needs it.
    """
    from tuneloop.cli.installation import examine

    file = locate(project)
    if project is not None and file is None:
        load(project)
    findings = list(examine(file))
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        ctx.exit(1 if problems else 0)

    from rich.markup import escape
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for finding in findings:
        advice = f"\n[dim]{escape(finding.advice)}[/]" if finding.advice else ""
        table.add_row(_MARKS[finding.level], finding.subject, escape(finding.found) + advice)
    out.print(table)
    count = "1 problem" if problems == 1 else f"{problems} problems"
    out.print(f"\n[red]{count}.[/]" if problems else "\n[green]Nothing is wrong.[/]")
    ctx.exit(1 if problems else 0)
