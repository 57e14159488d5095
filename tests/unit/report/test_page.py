import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tuneloop.report import ColumnRow, LabelRow, Report, VariantRow, write_report
from tuneloop.report.page import render

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def report():
    return Report(
        project="desk",
        run="20261121-053012-ab12",
        started="2026-11-21T05:30:12Z",
        task="text-classification",
        base_model="transformers",
        strategy="full",
        sha256="ab" * 32,
        passed=True,
        checks=((True, "macro_f1 on the golden holdout is 0.9500; it must be at least 0.9"),),
        metrics={"macro_f1": {"probe (test)": 0.7, "tuned (test)": 0.95}},
        metric_columns=("probe (test)", "tuned (test)"),
        maximize={"macro_f1": True},
        history=({"epoch": 1.0, "loss": 0.9, "macro_f1": 0.8}, {"epoch": 2.0, "loss": 0.4, "macro_f1": 0.95}),
        best_epoch=2.0,
        confusion_labels=("english", "italian"),
        confusion=((40, 2), (1, 39)),
        parity={"rows": 82, "max_difference": 1e-6, "changed_answers": 0},
        variants=(
            VariantRow("float32", 90.5, 0.95, 4.2, False, "the smaller variant is good enough", 1e-6, 0.0),
            VariantRow("int8-dynamic", 23.1, 0.949, 1.1, True, "a loss of 0.0010", 0.034, 0.0123),
            VariantRow("other", 0.0, None, None, False, "could not be made"),
        ),
        rows={"train": 600, "test": 82},
        left_out={"unusable": 3},
        findings=(("duplicates", "12 rows repeat", (1, 5)),),
        steps=(("load", 0.5, False), ("tune", 60.0, True)),
        parent=None,
        data="cd" * 32,
        columns=(ColumnRow("message", "text", "string", 7), ColumnRow("noted", "", "int64", None)),
    )


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_needs_nothing_else(report, tmp_path):
    write_report(report, tmp_path / "deep" / "report.html")
    page = (tmp_path / "deep" / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.found == []
    assert "@import" not in page
    assert "url(" not in page


def test_the_page_shows_the_figures(report):
    page = render(report)
    for text in (
        "0.9500",
        "0.7000",
        "passed",
        "23.10",
        "1.00e-06",
        "12 rows repeat",
        "english",
        "left out (unusable) 3",
    ):
        assert text in page
    assert page.count("<svg") == 3


def test_the_columns_of_the_data_are_listed(report):
    page = render(report)
    assert '<td>message</td><td>text</td><td class="soft">string</td><td class="n">7</td>' in page
    assert '<td>noted</td><td>\u2013</td><td class="soft">int64</td><td class="n">\u2013</td>' in page
    page = render(replace(report, columns=tuple(ColumnRow(f"pixel{i}", "input", "double", 0) for i in range(784))))
    assert "pixel99<" in page
    assert "pixel100<" not in page
    assert "And 684 more." in page
    assert "<h3>Columns" not in render(replace(report, columns=()))


def test_every_variant_is_shown_with_its_distance_from_the_tuned_model(report):
    page = render(report)
    table = page[page.index("<th>variant</th>") :]
    rows = [re.findall(r'<td class="n">(.*?)</td>', row) for row in table[: table.index("</table>")].split("<tr>")[1:]]
    none = "\N{EN DASH}"
    assert rows == [
        ["90.50", "4.20", "1.00e-06", "0.00 %", "0.9500"],
        ["23.10", "1.10", "3.40e-02", "1.23 %", "0.9490"],
        ["0.00", none, none, none, none],
    ]
    broken = VariantRow("int8-dynamic", 23.1, 0.9, 1.1, False, "", float("inf"), 1.0)
    assert '<td class="n">inf</td>' in render(replace(report, variants=(broken,)))


def test_warnings_stand_beside_the_badge_of_a_run_that_passed(report):
    assert "with warnings" not in render(report)
    page = render(replace(report, warnings=(f"worse than before {EVIL}",)))
    assert ">passed</span>" in page
    assert ">with warnings</span>" in page
    assert "Warning: worse than before &lt;script&gt;" in page


def test_everything_from_data_is_escaped(report):
    poisoned = replace(
        report,
        project=EVIL,
        checks=((False, EVIL),),
        confusion_labels=(EVIL, EVIL + "2"),
        findings=((EVIL, EVIL, (1,)),),
        columns=(ColumnRow(EVIL, EVIL, EVIL, None),),
        history=tuple({**record, EVIL: 1.0} for record in report.history),
        variants=(VariantRow(EVIL, 1.0, None, None, True, EVIL),),
    )
    assert "<script" not in render(poisoned)


def test_a_run_with_little_to_tell_is_a_page_too(report):
    bare = replace(report, checks=(), history=(), confusion_labels=(), confusion=(), findings=(), passed=False)
    page = render(bare)
    assert "refused" in page
    assert "No findings" in page
    assert "<svg" not in page


def test_many_epochs_and_constant_numbers_are_drawn(report):
    many = tuple({"epoch": float(i), "loss": 1.0} for i in range(1, 200))
    assert "nan" not in render(replace(report, history=many)).replace("nancy", "")


@pytest.mark.parametrize(("size", "said"), [(41, "are the other one"), (77, "sum up the other 37")])
def test_of_many_classes_those_with_most_errors_are_drawn_and_the_page_says_so(report, size, said):
    labels = tuple(f"class {place}" for place in range(size))
    counts = tuple(tuple(9 if i == j else int(i > 35 and j == 0) for j in range(size)) for i in range(size))
    page = render(replace(report, confusion_labels=labels, confusion=counts))
    assert f"Of {size} classes these are the 40 with most errors" in page
    assert said in page
    assert "<title>class 40 → class 0: 1</title>" in page
    assert page.count("</title></rect>") == 41 * 41
    assert "class 35<" not in page, "it has no error, and comes late"
    few = render(replace(report, confusion_labels=labels[:40], confusion=tuple(row[:40] for row in counts[:40])))
    assert few.count("</title></rect>") == 40 * 40
    assert "with most errors" not in few


def test_where_a_row_has_any_number_of_labels_each_has_its_counts_and_the_worst_comes_first(report):
    labels = tuple(LabelRow(f"{EVIL}{place}", 50 + place, place, 0, 7) for place in range(41))
    page = render(replace(report, confusion_labels=(), confusion=(), label_counts=labels))
    assert page.index("&gt;40</td>") < page.index("&gt;39</td>")
    assert "Of 41 labels these are the 40 with most errors" in page
    assert '<td class="n">90</td><td class="n">40</td><td class="n">0</td><td class="n">7</td>' in page
    assert "<script" not in page
    assert "most errors" not in render(report)
