"""Metrics of texts: values worked out by hand from the formulas of their papers, and perplexity by torchmetrics."""

import numpy as np
import pytest

from tuneloop.api import ABSENT, Predictions
from tuneloop_torchmetrics import tuneloop_metrics

METRICS = {metric.name: metric for metric in tuneloop_metrics()}
RIGHT = "police killed the gunman"


def objects(values):
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def value(name, *rows):
    """The metric of answers and the texts that are right."""
    said, right = zip(*rows, strict=True)
    return METRICS[name]().compute(Predictions(objects(said)), objects(right))


# C. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, section 3.2: its own sentences; the last two
# have another length than the right text, so that precision and recall differ.
@pytest.mark.parametrize(
    ("said", "rouge1", "rouge2", "rouge_l"),
    [
        ("police kill the gunman", 3 / 4, 1 / 3, 3 / 4),
        ("the gunman kill police", 3 / 4, 1 / 3, 2 / 4),
        ("the gunman police killed", 1.0, 2 / 3, 2 / 4),
        ("police", 2 * 1 * (1 / 4) / (1 + 1 / 4), 0.0, 2 * 1 * (1 / 4) / (1 + 1 / 4)),
        ("the gunman the gunman", 2 / 4, 1 / 3, 2 / 4),
        ("gunman police police killed the", 2 * (4 / 5) / (4 / 5 + 1), 2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3), 2 / 3),
    ],
)
def test_rouge_is_that_of_its_paper(said, rouge1, rouge2, rouge_l):
    found = [value(name, (said, (RIGHT,))) for name in ("rouge1", "rouge2", "rouge_l")]
    assert found == pytest.approx([rouge1, rouge2, rouge_l], abs=1e-6)


def test_rouge_takes_the_best_right_text_and_the_mean_of_rows():
    both = ("the gunman kill police", (RIGHT, "the gunman kill him"))
    assert value("rouge1", both) == pytest.approx(3 / 4)
    assert value("rouge2", both) == pytest.approx(2 / 3)
    assert value("rouge2", both, ("", (RIGHT,)), ("", ("",))) == pytest.approx((2 / 3 + 0 + 1) / 3)


# P. Rajpurkar et al., "SQuAD", 2016, section 6.1: words without case, marks and articles, F1 of both as bags.
@pytest.mark.parametrize(
    ("said", "right", "f1", "exact"),
    [
        ("The Cat!", ("cat",), 1.0, 1.0),
        ("in the black cat", ("black cat sat",), 2 / 3, 0.0),
        ("big big dog", ("a big dog",), 2 * (2 / 3) * 1 / (2 / 3 + 1), 0.0),
        ("dog", ("cat", "big dog"), 2 * 1 * (1 / 2) / (1 + 1 / 2), 0.0),
        ("Denver  Broncos", ("Denver Broncos", "Broncos"), 1.0, 1.0),
        ("cat", ("dog",), 0.0, 0.0),
        ("cat", (), 0.0, 0.0),
    ],
)
def test_answers_are_judged_as_squad_does(said, right, f1, exact):
    assert value("answer_f1", (said, right)) == pytest.approx(f1, abs=1e-6)
    assert value("exact_match", (said, right)) == exact


def test_answers_are_averaged_over_rows():
    rows = [("black cat", ("cat",)), ("cat", ("cat",)), ("dog", ("cat",))]
    assert value("answer_f1", *rows) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert value("exact_match", *rows) == pytest.approx(1 / 3)


def test_perplexity_of_the_right_tokens_alone_is_that_of_all_logits():
    import torch
    from torchmetrics.functional.text import perplexity

    random = np.random.default_rng(0)
    logits = random.normal(size=(6, 9, 11)).astype(np.float32)
    tokens = random.integers(0, 11, (6, 9))
    behind = np.arange(9)[None, :] >= random.integers(1, 10, 6)[:, None]
    wanted = perplexity(torch.from_numpy(logits), torch.from_numpy(np.where(behind, -100, tokens)), ignore_index=-100)
    all_of_them = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    likely = np.take_along_axis(all_of_them, tokens[..., None], axis=-1)[..., 0]
    found = METRICS["perplexity"]().compute(Predictions(np.where(behind, ABSENT, likely)), objects(["x"] * 6))
    assert found == pytest.approx(float(wanted), rel=1e-5)
    assert found > 1.5
