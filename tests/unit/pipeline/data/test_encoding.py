"""Rows are encoded in parts, by any number of processes: the files are the same."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tuneloop.api import NO_PLACE, Columns, DataError
from tuneloop.artifact import sha256_file
from tuneloop.pipeline.data.encoded import as_dataset, encode_rows
from tuneloop.pipeline.data.encoding import MANY_ROWS, PART_ROWS, Encoding, encode_split, process_count
from tuneloop.pipeline.data.rows import model_rows, open_rows, write_rows
from tuneloop.preprocessing import TabularPreprocessor, TextPreprocessor, WordsPreprocessor
from tuneloop.tasks import TabularRegression, TextClassification, TokenClassification

datasets = pytest.importorskip("datasets")
COLUMNS = Columns({"age": "age", "job": "job"}, "wage")


@pytest.fixture
def table(tmp_path: Path) -> Encoding:
    generator = random.Random(3)
    rows = datasets.Dataset.from_dict(
        {
            "age": [generator.choice([None, generator.uniform(18, 80)]) for _ in range(230)],
            "job": [generator.choice(["cook", "pilot", None]) for _ in range(230)],
            "wage": [generator.gauss(10, 2) for _ in range(230)],
        }
    )
    write_rows(rows, tmp_path / "rows")
    (tmp_path / "settings").mkdir()
    preprocessor = TabularPreprocessor.fit({}, COLUMNS, rows)
    preprocessor.save(tmp_path / "settings")
    task = TabularRegression.fit(COLUMNS, rows)
    return Encoding(
        tmp_path / "rows", COLUMNS, TabularRegression, task.state(), TabularPreprocessor,
        tmp_path / "settings", tmp_path / "whole",
    )  # fmt: skip


def with_target(encoding: Encoding, name: str, part: int) -> Encoding:
    from dataclasses import replace

    return replace(encoding, target=encoding.target.with_name(name), part=part)


def files(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


def test_any_number_of_processes_writes_the_same_files(table: Encoding) -> None:
    one, two = with_target(table, "one", 50), with_target(table, "two", 50)
    known = encode_split(one, 1)
    assert known.tolist() == list(range(230))
    assert encode_split(two, 2).tolist() == known.tolist()
    assert files(one.target) == files(two.target)
    assert sum(name.endswith(".arrow") for name in files(one.target)) == 5
    # And what it holds is what one call on all rows gives.
    preprocessor = TabularPreprocessor.load(table.settings)
    rows = open_rows(table.rows)
    task = TabularRegression.from_state(table.state)
    whole = as_dataset(
        encode_rows(preprocessor, model_rows(rows, COLUMNS)), task.targets(rows["wage"]), preprocessor.tensors
    )
    found = open_rows(one.target)
    assert found.features == whole.features
    assert found[:] == whole[:]


def test_a_row_that_does_not_fit_is_named_by_its_number_in_the_split(table: Encoding, tmp_path: Path) -> None:
    rows = open_rows(table.rows)
    ages = [age if i != 120 else 1e300 for i, age in enumerate(rows["age"])]
    write_rows(datasets.Dataset.from_dict({**rows[:], "age": ages}), tmp_path / "bad")
    from dataclasses import replace

    for processes in (1, 2):
        with pytest.raises(DataError, match="row 120, field 'age'"):
            encode_split(replace(with_target(table, "bad-target", 50), rows=tmp_path / "bad"), processes)


def test_a_row_that_does_not_fit_is_named_by_its_file_and_key_too(table: Encoding, tmp_path: Path) -> None:
    from dataclasses import replace

    rows = open_rows(table.rows)
    more = {"file": [f"cooks/{i}.csv" for i in range(230)], "id": [1000 + i for i in range(230)]}
    ages = [age if i != 120 else 1e300 for i, age in enumerate(rows["age"])]
    write_rows(datasets.Dataset.from_dict({**rows[:], **more, "age": ages}), tmp_path / "bad")
    bad = replace(with_target(table, "bad-target", 50), rows=tmp_path / "bad", columns=replace(COLUMNS, key="id"))
    with pytest.raises(DataError, match=r"row 120, field 'age': .* \(file 'cooks/120\.csv', id 1120\)$"):
        encode_split(bad, 1)


def tokenizer() -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made.to_str()


def test_rows_with_a_label_that_nobody_learned_are_left_out(tmp_path: Path) -> None:
    columns = Columns({"text": "text"}, "label")
    rows = datasets.Dataset.from_dict({"text": ["a b"] * 9, "label": ["x", "y", "new"] * 3})
    write_rows(rows, tmp_path / "rows")
    (tmp_path / "settings").mkdir()
    TextPreprocessor.fit({"tokenizer": tokenizer(), "max_length": 8}, columns, rows).save(tmp_path / "settings")
    encoding = Encoding(
        tmp_path / "rows", columns, TextClassification, {"labels": ["x", "y"]}, TextPreprocessor,
        tmp_path / "settings", tmp_path / "out", part=2,
    )  # fmt: skip
    assert encode_split(encoding, 1).tolist() == [0, 1, 3, 4, 6, 7]
    assert open_rows(tmp_path / "out")["labels"][:] == [0, 1, 0, 1, 0, 1]


def test_tags_are_as_wide_as_the_longest_row_of_any_part(tmp_path: Path) -> None:
    columns = Columns({"tokens": "words"}, "tags")
    sizes = [1, 2, 5, 1, 3, 1, 1]
    rows = datasets.Dataset.from_dict(
        {"words": [list("ababa")[:n] for n in sizes], "tags": [list("OXOXO")[:n] for n in sizes]}
    )
    write_rows(rows, tmp_path / "rows")
    (tmp_path / "settings").mkdir()
    WordsPreprocessor.fit({"tokenizer": tokenizer(), "max_length": 8, "overlap": 0}, columns, rows).save(
        tmp_path / "settings"
    )
    made = {}
    for part in (2, 100):
        encoding = Encoding(
            tmp_path / "rows", columns, TokenClassification, {"labels": ["O", "X"]}, WordsPreprocessor,
            tmp_path / "settings", tmp_path / f"out-{part}", part=part,
        )  # fmt: skip
        assert len(encode_split(encoding, 1)) == len(sizes)
        made[part] = open_rows(encoding.target)
    assert made[2].features == made[100].features
    assert made[2][:] == made[100][:]
    labels = np.asarray(made[2]["labels"][:])
    assert labels.shape == (7, 5)
    assert (labels[0] == [0, *[NO_PLACE] * 4]).all()


def test_how_many_processes() -> None:
    assert process_count(10, None) == 1
    assert process_count(MANY_ROWS, None) >= 1
    assert process_count(PART_ROWS, 8) == 1
    assert process_count(5 * PART_ROWS, 3) == 3
    assert process_count(0, 4) == 1
