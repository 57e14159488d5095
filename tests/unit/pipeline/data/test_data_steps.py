import json

import pytest

from tuneloop.api import DataError
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.data.rows import open_rows
from tuneloop.pipeline.runs.cache import perform

pytest.importorskip("datasets")

TEXT = """\
name: desk
task: text-classification
data: {source: jsonl, path: messages.jsonl, columns: {text: message, label: language},
  split: {validation: 0.1, test: 0.1, golden: 0.1, key: id}}
model: {base: transformers, checkpoint: nowhere}
tune: {strategy: full}
export: {format: onnx}
"""


def write_text_project(folder, rows):
    folder.mkdir(exist_ok=True)
    (folder / "messages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tuneloop.yaml").write_text(TEXT)
    return folder


def messages(count=400):
    return [{"id": str(i), "message": f"message number {i}", "language": "en" if i % 2 else "it"} for i in range(count)]


def run_data_steps(scope):
    done = {}
    for step in (load.STEP, check.STEP, split.STEP):
        done[step.name] = perform(step, scope, done)
    return done


def placed(done):
    names = done["split"].output["rows"]
    return {name: open_rows(done["split"].folder / name)["message"][:] for name in names}


def test_only_changed_content_is_another_load(tmp_path, scope_of):
    folder = write_text_project(tmp_path / "desk", messages())
    first = run_data_steps(scope_of(folder))
    (folder / "messages.jsonl").touch()
    second = run_data_steps(scope_of(folder))
    assert [result.reused for result in second.values()] == [True, True, True]
    write_text_project(folder, messages(401))
    third = run_data_steps(scope_of(folder))
    assert [result.reused for result in third.values()] == [False, False, False]
    assert first["load"].fingerprint == second["load"].fingerprint != third["load"].fingerprint


def test_rows_that_cannot_be_used_and_copies_of_held_out_rows_are_left_out(tmp_path, scope_of):
    rows = messages()
    rows += [{"id": f"copy-{i}", "message": f"  MESSAGE number {i} ", "language": "en"} for i in range(400)]
    rows += [{"id": "x", "message": " ", "language": "en"}, {"id": "y", "message": "unlabelled", "language": None}]
    done = run_data_steps(scope_of(write_text_project(tmp_path / "desk", rows)))
    assert done["split"].output["left_out"]["unusable"] == 2
    found = {name: {" ".join(text.casefold().split()) for text in texts} for name, texts in placed(done).items()}
    assert not found["train"] & (found["golden"] | found["test"] | found["validation"])
    assert not found["validation"] & (found["golden"] | found["test"])
    names = {finding["name"] for finding in done["check"].output["findings"]}
    assert {"missing", "duplicates", "label conflicts", "leakage"} <= names


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**row, "language": "en"} for row in messages(50)], "only the label 'en'"),
        ([{**row, "language": None} for row in messages(50)], "no label at all"),
        ([{"id": row["id"], "message": row["message"]} for row in messages(50)], "language"),
        (
            [{"id": row["id"], "mesage": row["message"], "language": row["language"]} for row in messages(50)],
            r"lack the column 'message' \(data\.columns\.text\)\. Did you mean 'mesage'\? They have: id, ",
        ),
        (messages(3), "no rows fall into"),
        ([], "."),
    ],
)
def test_data_that_cannot_be_trained_on_stop_the_run(tmp_path, scope_of, rows, said):
    scope = scope_of(write_text_project(tmp_path / "desk", rows))
    with pytest.raises(DataError, match=said):
        run_data_steps(scope)


def feedback(rows):
    return "".join(
        json.dumps({"key": str(i), "row": {"message": text}, "label": label}) + "\n"
        for i, (text, label) in enumerate(rows)
    ).encode()


def test_labelled_production_rows_leave_the_golden_holdout_alone(tmp_path, scope_of):
    folder = write_text_project(tmp_path / "desk", messages())
    before = placed(run_data_steps(scope_of(folder)))
    golden = before["golden"][0]
    new = [(f"bericht {i}", "nl") for i in range(300)] + [(golden.upper(), "nl")]
    scope = scope_of(folder, "20260101-000000-more", feedback(new))
    done = run_data_steps(scope)
    after = placed(done)
    for name in ("golden", "test"):
        assert after[name] == before[name]
    for name in ("validation", "train"):
        assert after[name][: len(before[name])] == before[name]
    assert not any(golden.upper() in texts for texts in after.values())
    kept = {name: [text for text in texts if text.startswith("bericht")] for name, texts in after.items()}
    assert sum(len(texts) for texts in kept.values()) == 300
    assert {name for name, texts in kept.items() if texts} == {"train", "validation", "feedback_test"}
    assert 35 < len(kept["feedback_test"]) < 85


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"row": 1}', "key, row and label"),
        (b"nonsense", "line 1"),
        (b'{"row": {"text": "x"}, "label": "en"}', "'message'"),
        (b'{"row": {"message": "x"}, "label": null}', "no label"),
    ],
)
def test_labelled_rows_that_cannot_be_read_are_named(tmp_path, scope_of, line, said):
    folder = write_text_project(tmp_path / "desk", messages())
    with pytest.raises(DataError, match=said):
        run_data_steps(scope_of(folder, "20260101-000000-more", line))


def test_the_project_says_which_findings_stop_it_and_which_are_not_looked_for(tmp_path, scope_of):
    rows = messages()
    rows[7]["message"] = "write to me@mail.example.org about number 7"
    folder = write_text_project(tmp_path / "desk", rows)
    [found] = run_data_steps(scope_of(folder))["check"].output["findings"]
    assert (found["name"], found["rows"]) == ("personal data", [7])
    file = folder / "tuneloop.yaml"
    text = file.read_text()
    file.write_text(text.replace("source: jsonl,", "source: jsonl, check: {stop: [personal data]},"))
    with pytest.raises(DataError, match=r"(?s)data\.check\.stop.*personal data: .*e-mail addresses in 1 rows"):
        run_data_steps(scope_of(folder))
    file.write_text(text.replace("source: jsonl,", "source: jsonl, check: {ignore: [personal data]},"))
    assert run_data_steps(scope_of(folder))["check"].output["findings"] == []


def test_labels_that_the_other_rows_contradict_are_shown_and_may_stop_a_run(tmp_path, scope_of):
    said = {"en": "the parcel was late again and the driver lost it", "it": "il pacco era in ritardo e il corriere"}
    rows = messages()
    for row in rows:
        words = said[row["language"]].split()
        row["message"] = " ".join(words[(int(row["id"]) + k * 3) % len(words)] for k in range(5)) + f" {row['id']}"
    rows[31]["language"] = "it"
    folder = write_text_project(tmp_path / "desk", rows)
    file = folder / "tuneloop.yaml"
    text = file.read_text()
    looked = "[near-duplicates, near-leakage]"
    file.write_text(text.replace("source: jsonl,", f"source: jsonl, check: {{ignore: {looked}}},"))
    [found] = run_data_steps(scope_of(folder))["check"].output["findings"]
    assert (found["name"], found["rows"]) == ("label errors", [31])
    assert "row 31 is 'it', rather 'en'" in found["text"]
    stop = "check: {stop: [label errors], ignore: [near-duplicates, near-leakage]},"
    file.write_text(text.replace("source: jsonl,", f"source: jsonl, {stop}"))
    with pytest.raises(DataError, match=r"(?s)data\.check\.stop.*label errors: 1 labels"):
        run_data_steps(scope_of(folder))
    ignored = "check: {ignore: [label errors, near-duplicates, near-leakage]},"
    file.write_text(text.replace("source: jsonl,", f"source: jsonl, {ignored}"))
    assert run_data_steps(scope_of(folder))["check"].output["findings"] == []


def test_nothing_is_left_beside_the_rows_that_were_read(tmp_path, scope_of):
    folder = write_text_project(tmp_path / "desk", messages())
    file = folder / "tuneloop.yaml"
    augment = "source: jsonl, transforms: [{name: text-augment, columns: [message]}],"
    file.write_text(file.read_text().replace("source: jsonl,", augment))
    done = run_data_steps(scope_of(folder))
    assert done["split"].output["augmented"] > 0
    kept = {path.name for path in (done["load"].folder / done["load"].output["rows"]).iterdir()}
    assert kept == {"data-00000-of-00001.arrow", "dataset_info.json", "state.json"}
