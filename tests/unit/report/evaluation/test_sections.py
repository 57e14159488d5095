"""The sections on confidence and errors, and the whole page in a real browser."""

from __future__ import annotations

import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tuneloop.report import GainRow, LabelRow, Report, SliceRow, VariantRow, write_report
from tuneloop.report.choices import (
    CandidateLine,
    CandidatesPart,
    SearchPart,
    TrialLine,
    render_candidates,
    render_search,
)
from tuneloop.report.evaluation import (
    CalibrationPart,
    EvaluationPart,
    FoldsPart,
    render_calibration,
    render_errors,
    render_folds,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = "<script>alert(1)</script>"
LONG = "a_name_that_never_seems_to_end_" * 6
CALIBRATION = CalibrationPart(
    temperature=1.83,
    reason="log loss on rows it was not fitted on 0.41 -> 0.35 (5 folds of 300 validation rows)",
    error_before=0.081,
    error_after=0.022,
    before=[(0.55, 0.5, 12), (0.97, 0.88, 240)],
    after=[(0.55, 0.5, 20), (0.9, 0.89, 232)],
)


def evaluation(text: str = "where is my card", count: int = 25) -> EvaluationPart:
    place = [{"split": "validation", "row": 12}, {"split": "test", "row": -1}]
    shown = {"text": text, "year": "1999"}
    return EvaluationPart(
        rows=252,
        splits=("validation", "test"),
        error="share of wrong answers",
        weight="confidence",
        looked=31,
        slices=[
            {"by": text, "value": text, "rows": 40, "error": 0.31, "rest": 0.08, "p": p, "proven": p < 0.05}
            | {"examples": place * 6}
            for p in (1e-6, 0.7)
        ],
        confusions=[{"right": text, "answered": text, "count": 7, "share": 0.125, "examples": place}],
        mistakes=[
            {"split": "test", "row": n, "right": text, "answered": "b", "weight": 0.9931, "shown": shown}
            for n in range(count)
        ],
        labels=[
            {"split": "train", "row": n, "label": text, "likely": "b", "chance": 0.01 * n, "shown": shown}
            for n in range(count)
        ],
        files="evaluation/",
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_confidence_is_drawn_before_and_after() -> None:
    page = render_calibration(CALIBRATION)
    assert page.count("<svg") == 2
    for text in ("1.83", "0.0810", "0.0220", "240 answers"):
        assert text in page


def test_without_a_temperature_there_is_one_drawing() -> None:
    page = render_calibration(CalibrationPart(1.0, "left at 1", 0.03, 0.03, CALIBRATION.before, CALIBRATION.before))
    assert page.count("<svg") == 1
    assert "→" not in page


def test_errors_are_listed_with_where_they_stand() -> None:
    page = render_errors(evaluation())
    for text in ("beyond chance", "may be chance", "12.5 %", "0.9931", "1e-06", "validation 12", "(production)"):
        assert text in page
    assert "10 more are in the tables" in page
    assert "5 more are in the tables" in page
    assert page.index("0.000") < page.index("0.190")


def test_a_model_without_errors_has_a_section_too() -> None:
    page = render_errors(EvaluationPart(0, (), "", "", 0, (), (), (), (), "evaluation/"))
    assert "neither right nor wrong" in page
    assert "<table" not in page


@pytest.mark.parametrize("section", [render_calibration(CALIBRATION), render_errors(evaluation(EVIL))])
def test_sections_are_whole_and_escaped(section: str) -> None:
    tags = Tags()
    tags.feed(section)
    assert tags.open == []
    assert "<script" not in section


def whole(text: str) -> Report:
    """A report with everything in it."""
    return Report(
        project="desk",
        run="20261121-053012-ab12",
        started="2026-11-21T05:30:12Z",
        task="text-classification",
        base_model="transformers",
        strategy="full",
        sha256="ab" * 32,
        passed=True,
        checks=((True, f"macro_f1 on the golden holdout is 0.9500; {text}"), (False, "slices: one is worse")),
        metrics={"macro_f1": {"probe (test)": 0.7, "served (test)": 0.95, "served (golden)": 0.94}},
        metric_columns=("probe (test)", "served (test)", "served (golden)"),
        maximize={"macro_f1": True},
        intervals={"macro_f1": {"served (test)": (0.93, 0.97)}},
        gains=(GainRow("linear probe", "test", "macro_f1", 0.7, 0.95, 0.25, 0.21, 0.29),),
        history=(
            {"epoch": 1.0, "loss": 0.9, "learning_rate": 1.234e-5},
            {"epoch": 2.0, "loss": 0.4, "learning_rate": 2.5e-7},
        ),
        best_epoch=2.0,
        confusion_labels=("english", text[:60], "italian"),
        confusion=((40, 2, 1), (1, 39, 0), (0, 0, 50)),
        parity={"rows": 82, "max_difference": 1e-6, "changed_answers": 0},
        variants=(VariantRow("float32", 90.5, 0.95, 4.2, True, text, 1.23e-06, 0.0123),),
        rows={"train": 600, "test": 82},
        left_out={"unusable": 3},
        findings=(("duplicates", text, (1, 5)),),
        steps=(("load", 0.5, False), ("tune", 60.0, True)),
        parent="ef" * 32,
        data="cd" * 32,
        attempt=2,
        slices=(SliceRow("job=cook", 60, "right answers", 0.9, 0.91, 0.01, -0.02, 0.04),),
        energy="0.01 kWh in 60 s",
        sections={"calibration": render_calibration(CALIBRATION), "errors": render_errors(evaluation(text))},
    )


OPTIONS = ("learning_rate", "batch_size", "epochs", "weight_decay", "label_smoothing", "gradient_accumulation",
           "discriminative_learning_rates", "warmup")  # fmt: skip


def search() -> SearchPart:
    """A search over as many options as people search over, whose trials ended in every way."""
    values = {f"tune.{name}": f"{0.00012345 * place:.6g}" for place, name in enumerate(OPTIONS)}
    states = ("complete", "pruned", "failed", "lost")
    trials = tuple(
        TrialLine(
            number=place,
            state=states[place % 4],
            value=0.9 + place / 1000 if place % 4 == 0 else None,
            values=values,
            epochs=place % 4,
            seconds=100.0,
            reason="" if place % 4 < 2 else f"too much memory for a batch, at {LONG}",
        )
        for place in range(41)
    )
    importance = {path: 0.3 / (place + 1) for place, path in enumerate(values)}
    return SearchPart("macro_f1", True, values, "search", best=40, own=0, trials=trials, importance=importance)


def candidates(text: str) -> CandidatesPart:
    """Base models that can be taken and that cannot, with many options each."""
    options = ", ".join(f"{name}: {place}" for place, name in enumerate(OPTIONS))
    lines = [CandidateLine("transformers", options, 0.9, 22_713_216, 4.2, 91.0, "", chosen=True)]
    lines += [CandidateLine("transformers", f"checkpoint: {LONG}", None, None, None, None, text, chosen=False)] * 2
    return CandidatesPart("macro_f1", True, "a linear probe on the frozen model's features", tuple(lines))


def fullest(text: str) -> Report:
    """A report whose every section is as full as it gets: nothing on it may be cut off."""
    names = (
        "card_payment_wrong_exchange_rate",
        "MMMWWWMMMWWWMMMWWWMMMWWW",
        "請求書の支払い方法を変更したいのですがどうすれば",
    )
    labels = tuple(f"{place}_{names[place % 3]}" for place in range(43))
    counts = tuple(
        tuple(10_000 if right == given else (right * given) % 4 for given in range(43)) for right in range(43)
    )
    metrics = {name: {"mean": 0.91, "spread": 0.02, "values": [0.9, None, 0.92, 0.9, 0.91]} for name in ("f1", "auroc")}
    report = whole(text)
    sections = {
        "candidates": render_candidates(candidates(text)),
        "search": render_search(search()),
        "folds": render_folds(FoldsPart([120, 119, 121, 120, 120], metrics)),
    }
    return replace(
        report,
        confusion_labels=labels,
        confusion=counts,
        label_counts=tuple(LabelRow(label, 10, place, 3, 80) for place, label in enumerate(labels)),
        sections={**sections, **report.sections},
    )


def test_the_page_holds_intervals_gains_energy_and_sections(tmp_path) -> None:
    write_report(whole("said"), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for text in ("0.9300 to 0.9700", "+0.2500", "+0.2100 to +0.2900", "0.01 kWh in 60 s", 'id="errors"'):
        assert text in page


UNREADABLE = """() => {
  const small = [...document.querySelectorAll('body *')].filter(e => !e.closest('svg, title')
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    && (parseFloat(getComputedStyle(e).fontSize) < 12 || e.getBoundingClientRect().width < 8));
  return small.map(e => e.outerHTML.slice(0, 80));
}"""
"""Texts that are too small, or squeezed to nothing."""

CUT = """() => [...document.querySelectorAll('section')].filter(e => e.scrollWidth > e.clientWidth
  && getComputedStyle(e).overflowX !== 'auto').map(e => e.id)"""
"""Sections with something that cannot be scrolled to."""

SQUEEZED = """() => [...document.querySelectorAll('tr')].map(e => e.getBoundingClientRect().height)
  .filter(height => height > 420)"""
"""Rows of a table so high that one of their cells must be too narrow for what it says."""

TINY = """() => [...document.querySelectorAll('svg text')].filter(e => {
  const svg = e.ownerSVGElement, all = svg.getBoundingClientRect(), own = e.getBoundingClientRect();
  return parseFloat(getComputedStyle(e).fontSize) * all.width / svg.viewBox.baseVal.width < 8
    || own.left < all.left - 1 || own.right > all.right + 1 || own.top < all.top - 1 || own.bottom > all.bottom + 1;
}).map(e => e.outerHTML.slice(0, 160))"""
"""Texts of drawings that are too small once the drawing is scaled, or cut off at its edge."""

ASIDE = "() => (e => e.scrollWidth - e.clientWidth)(document.querySelector('#errors'))"
"""By how much the lists of errors are wider than their section."""

COLOURS = "() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")
def test_in_a_browser_it_is_readable_wide_and_narrow_by_day_and_by_night(tmp_path) -> None:
    api = pytest.importorskip("playwright.sync_api")
    write_report(fullest(f"{EVIL} {LONG}"), tmp_path / "report.html")
    looks = set()
    with api.sync_playwright() as play:
        # The first start of a browser on a machine that stalls takes minutes.
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=240_000)
        for width in (1280, 400):
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                context.set_default_timeout(240_000)
                page = context.new_page()
                said: list[str] = []
                page.on("console", lambda message, said=said: said.append(message.text))
                page.on("pageerror", lambda error, said=said: said.append(str(error)))
                page.on(
                    "request",
                    lambda request, said=said: said.append(request.url) if "file:" not in request.url else None,
                )
                page.goto((tmp_path / "report.html").as_uri())
                assert said == []
                across = page.evaluate("document.documentElement.scrollWidth")
                assert across <= width, f"the page is {across} wide at {width}"
                assert page.evaluate(UNREADABLE) == []
                assert page.evaluate(TINY) == []
                assert page.evaluate(CUT) == []
                assert page.evaluate(SQUEEZED) == []
                assert width > 400 or page.evaluate(ASIDE) <= 0, "errors have to be scrolled to the side"
                assert page.locator("svg").first.is_visible()
                looks.add(tuple(page.evaluate(COLOURS)))
                context.close()
        browser.close()
    assert len(looks) == 2


def test_parts_without_a_value_are_counted_out():
    metrics = {"auroc": {"mean": 0.75, "spread": 0.1, "values": [None, 0.7, 0.8]}}
    page = render_folds(FoldsPart([40, 50, 60], metrics))
    assert "of 2 parts" in page
    assert '<td class="n">\u2013</td><td class="n">0.7000</td>' in page
    whole = {"auroc": {**metrics["auroc"], "values": [0.75, 0.7, 0.8]}}
    assert "parts</span>" not in render_folds(FoldsPart([40, 50, 60], whole))
