"""What one would write without Tuneloop: `AutoModelForQuestionAnswering`, windows with a stride, and `Trainer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

LENGTH, STRIDE = 256, 64
BEST, LONGEST = 20, 30
"""Beginnings and ends that are paired, and tokens of an answer, at most."""


def train_plain(
    checkpoint: Path,
    train: Sequence[dict[str, Any]],
    test: Sequence[dict[str, Any]],
    folder: Path,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> list[str]:
    """The texts that the trained model answers the test rows with.

    Args:
        checkpoint: The pre-trained model.
        train: Rows with `question`, `context` and `answers`; the last tenth is left out, as `train_tuned` only picks an
            epoch by it.
        test: The same.
        folder: For the output of `Trainer`.
        epochs: Passes over the rows.
        learning_rate: Peak rate.
        seed: Of all random numbers.
    """
    from datasets import Dataset
    from transformers import (
        AutoModelForQuestionAnswering,
        AutoTokenizer,
        PrinterCallback,
        Trainer,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForQuestionAnswering.from_pretrained(checkpoint, dtype="float32")

    def encode(rows: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[int], list[list[tuple[int, int] | None]]]:
        found = tokenizer(
            [row["question"] for row in rows],
            [row["context"] for row in rows],
            truncation="only_second",
            max_length=LENGTH,
            stride=STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding="max_length",
        )
        owners = found.pop("overflow_to_sample_mapping")
        offsets = [
            [place if part == 1 else None for place, part in zip(places, found.sequence_ids(i), strict=True)]
            for i, places in enumerate(found.pop("offset_mapping"))
        ]
        return dict(found), owners, offsets

    inputs, owners, offsets = encode(train[: len(train) * 9 // 10])
    edges: dict[str, list[int]] = {"start_positions": [], "end_positions": []}
    for owner, places in zip(owners, offsets, strict=True):
        answer = train[owner]["answers"][0]
        start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
        inside = [i for i, place in enumerate(places) if place and place[1] > start and place[0] < end]
        whole = inside and places[inside[0]][0] <= start and places[inside[-1]][1] >= end  # type: ignore[index]
        edges["start_positions"].append(inside[0] if whole else 0)
        edges["end_positions"].append(inside[-1] if whole else 0)
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=32,
        seed=seed,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({**inputs, **edges}),
        data_collator=default_data_collator,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    inputs, owners, offsets = encode(test)
    starts, ends = trainer.predict(Dataset.from_dict(inputs)).predictions
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(test)
    for owner, places, start, end in zip(owners, offsets, starts, ends, strict=True):
        for i in np.argsort(-start)[:BEST].tolist():
            for j in np.argsort(-end)[:BEST].tolist():
                first, last = places[i], places[j]
                if first is None or last is None or not 0 <= j - i < LONGEST:
                    continue
                score = float(start[i] + end[j])
                if score > best[owner][0]:
                    best[owner] = (score, test[owner]["context"][first[0] : last[1]])
    return [text for _, text in best]
