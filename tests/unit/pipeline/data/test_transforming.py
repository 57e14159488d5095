"""Each transform where it belongs."""

import json

import pytest

from tuneloop.api import DataError
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.data.rows import open_rows
from tuneloop.pipeline.data.transforming import row_change, served_transforms
from tuneloop.pipeline.runs.cache import perform

pytest.importorskip("datasets")

TEXT = """\
name: desk
task: text-classification
data:
  source: jsonl
  path: messages.jsonl
  columns: {{text: message, label: language}}
  transforms: {transforms}
  split: {{validation: 0.1, test: 0.1, golden: 0.1}}
model: {{base: transformers, checkpoint: nowhere}}
tune: {{strategy: full}}
"""
CLEAN = "{name: text-clean, columns: [message]}"
MORE = "{name: text-augment, columns: [message], copies: 2, delete: 0.5}"


@pytest.fixture
def steps(tmp_path, scope_of):
    def run(transforms):
        folder = tmp_path / "desk"
        folder.mkdir(exist_ok=True)
        rows = [{"message": f"<b>message</b> number {i} &amp; more words", "language": "ab"[i % 2]} for i in range(300)]
        (folder / "messages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "tuneloop.yaml").write_text(TEXT.format(transforms=transforms))
        scope, done = scope_of(folder), {}
        for step in (load.STEP, check.STEP, split.STEP):
            done[step.name] = perform(step, scope, done)
        return scope, done

    return run


def texts(done, name):
    return open_rows(done["split"].folder / name)["message"][:]


def test_augmentations_see_the_training_rows_alone(steps):
    _, plain = steps(f"[{CLEAN}]")
    _, more = steps(f"[{CLEAN}, {MORE}]")
    assert more["load"].fingerprint == plain["load"].fingerprint
    for name in ("golden", "test", "validation"):
        assert texts(more, name) == texts(plain, name)
    train = texts(plain, "train")
    assert texts(more, "train")[: len(train)] == train
    assert more["split"].output["augmented"] == 2 * len(train) == more["split"].summary["augmented"]
    assert plain["split"].output["augmented"] == 0
    held_out = set(texts(plain, "golden")) | set(texts(plain, "test"))
    assert not held_out & set(texts(more, "train"))


def test_only_row_transforms_are_served(steps):
    scope, done = steps(f"[{CLEAN}, {MORE}]")
    [part] = served_transforms(scope)
    assert part.name == "text-clean"
    assert part.state["columns"] == ["message"]
    assert all("<" not in text for text in texts(done, "train"))
    assert row_change(scope)({"message": "<p>a &lt; b"}) == {"message": "a < b"}


def test_an_absent_column_is_named(steps):
    with pytest.raises(DataError, match="no column body"):
        steps("[{name: text-augment, columns: [body]}]")
