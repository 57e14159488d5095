from __future__ import annotations

from typing import Any

import pytest

from tuneloop.api import ConfigError
from tuneloop.config.project import Proof

PROJECT = """\
name: desk
task: tabular-classification
data: {{source: csv, path: rows.csv, columns: {{target: income}}}}
model: {{base: mlp}}
tune: {{strategy: full}}
evaluate: {{metrics: [macro_f1]}}
gate: {{champion: {{metric: macro_f1{champion}}}}}
retrain: {{cooldown: 1h{retrain}}}
"""


def test_without_more_words_the_estimate_decides_and_classes_are_slices(parse: Any) -> None:
    project = parse(PROJECT.format(champion="", retrain=""))
    assert project.gate.proof == Proof("worse", "none", 0.05, None, 0.05, 50)
    assert (project.retrain.schedule, project.retrain.timezone) == (None, None)
    assert (project.retrain.min_coverage, project.retrain.max_label_noise) == (0.01, 0.1)


def test_everything_can_be_asked_for(parse: Any) -> None:
    champion = (
        ", margin: 0.02, prove: not-worse, superiority: recent, alpha: 0.1, slices: [job, job, income], "
        "slice_margin: 0.1, min_slice_rows: 30"
    )
    retrain = ", schedule: '0 3  * * 0', timezone: Europe/Rome, min_coverage: 0, max_label_noise: 1.0, min_labels: 0"
    project = parse(PROJECT.format(champion=champion, retrain=retrain))
    assert project.gate.champion_margin == 0.02
    assert project.gate.proof == Proof("not-worse", "recent", 0.1, ("job", "income"), 0.1, 30)
    assert (project.retrain.schedule, project.retrain.timezone) == ("0 3 * * 0", "Europe/Rome")
    assert (project.retrain.min_coverage, project.retrain.max_label_noise, project.retrain.min_labels) == (0, 1, 0)


@pytest.mark.parametrize(
    ("champion", "retrain", "said"),
    [
        (", prove: maybe", "", "gate.champion.prove"),
        (", superiority: always", "", "gate.champion.superiority"),
        (", alpha: 0.5", "", "gate.champion.alpha"),
        (", min_slice_rows: 1", "", "gate.champion.min_slice_rows"),
        ("", ", schedule: sundays", "five fields"),
        ("", ", timezone: Rome", "Europe/Rome"),
        ("", ", min_coverage: 2", "retrain.min_coverage"),
        ("", ", max_label_noise: 0", "retrain.max_label_noise"),
    ],
)
def test_what_means_nothing_is_told(parse: Any, champion: str, retrain: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(PROJECT.format(champion=champion, retrain=retrain))
