from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from tests.bench.tasks import __main__ as command
from tests.bench.tasks.line import Line
from tests.bench.tasks.table import HEAD, Kept, merged, read, table, write

FLOWERS = Line(
    "flowers",
    "tabular-classification",
    "90 rows to train",
    "mlp, full",
    "accuracy",
    "forest",
    0.9,
    tuned=(0.91, 0.93),
    onnx=(0.91, 0.93),
    int8=(0.9, 0.92),
    baseline=0.5,
    megabytes=1.234567,
    int8_megabytes=0.5,
    seconds=12.4,
    seeds=(0, 1),
    note="Picked by hand.",
)
RENTS = Line("rents", "tabular-regression", "10 rows", "mlp", "rmse", "forest", 2.0, tuned=(3.0,), onnx=(3.0,),
             higher_is_better=False)  # fmt: skip


def kept(line: Line, date: str = "2026-01-02") -> Kept:
    return Kept(line, date, f"measure {line.name}")


def cells(text: str, name: str) -> dict[str, str]:
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} ")]
    return dict(zip(HEAD, (cell.strip() for cell in row.strip("|").split("|")), strict=True))


def test_a_row_says_what_was_measured():
    assert cells(table([kept(FLOWERS)]), "flowers") == {
        "data": "flowers",
        "model": "mlp, full",
        "metric": "accuracy",
        "baseline": "0.5000",
        "tuned": "0.9200 (0.9100 to 0.9300)",
        "ONNX": "0.9200 (0.9100 to 0.9300)",
        "int8": "0.9100 (0.9000 to 0.9200)",
        "MB": "1.23",
        "int8 MB": "0.5",
        "training s": "12",
        "reference": "forest 0.9000",
        "reached": "yes",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (RENTS, "NO"),
        (replace(RENTS, tuned=(2.01,), tolerance=0.01), "within 1%"),
        (replace(RENTS, tuned=(1.9,), strict=True), "passed"),
    ],
)
def test_the_verdict(line, said):
    found = cells(table([kept(line)]), "rents")
    assert found["reached"] == said
    assert found["metric"] == "rmse (less is better)"
    assert found["int8"] == found["MB"] == found["baseline"] == ""


def test_each_line_has_its_data_seeds_date_and_command():
    text = table([kept(FLOWERS), kept(RENTS, "2026-02-03")])
    assert (
        "- flowers: tabular-classification; 90 rows to train; seeds 0, 1; 2026-01-02, `measure flowers`. Picked" in text
    )
    assert "- rents: tabular-regression; 10 rows; seed 0; 2026-02-03, `measure rents`.\n" in text


def test_what_is_kept_is_read_again(tmp_path):
    path = tmp_path / "kept.json"
    assert read(path) == []
    write(path, [kept(FLOWERS), kept(RENTS)])
    assert read(path) == [kept(FLOWERS), kept(RENTS)]
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]


def test_a_line_measured_again_stands_where_it_stood():
    again = kept(replace(FLOWERS, tuned=(1.0,)), "2026-03-04")
    assert merged([kept(FLOWERS), kept(RENTS)], [again]) == [again, kept(RENTS)]


def test_lines_of_other_times_are_printed_together(tmp_path, monkeypatch, capsys):
    path = tmp_path / "kept.json"
    write(path, [kept(FLOWERS)])
    monkeypatch.setattr(sys, "argv", ["tasks", "--only", "--keep", str(path)])
    assert command.main() == 0
    assert cells(capsys.readouterr().out, "flowers")["reached"] == "yes"


def test_what_cannot_be_measured_leaves_the_others(tmp_path, monkeypatch, capsys):
    def measured(name, seeds, *, quick):
        if name == "wnut17":
            raise FileNotFoundError("no such folder")
        return [replace(FLOWERS, name=name, seeds=tuple(seeds))]

    path = tmp_path / "kept.json"
    monkeypatch.setattr(command, "measured", measured)
    monkeypatch.setattr(sys, "argv", ["tasks", "--only", "wnut17", "sms_spam", "--seeds", "3", "--keep", str(path)])
    assert command.main() == 1
    said = capsys.readouterr()
    assert "no such folder" in said.err
    (one,) = read(path)
    assert (one.line.name, one.line.seeds) == ("sms_spam", (3,))
    assert one.command == "python -m tests.bench.tasks --only sms_spam --seeds 3"
