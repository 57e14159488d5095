"""What one would write without Tuneloop: `AutoModelForTokenClassification` and `Trainer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

IGNORED = -100


def train_plain(
    checkpoint: Path,
    train: Sequence[dict[str, Any]],
    test: Sequence[dict[str, Any]],
    labels: Sequence[str],
    folder: Path,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> list[list[str]]:
    """The tags that the trained model gives the words of the test rows; a word behind the cut is `O`.

    Args:
        checkpoint: The pre-trained model.
        train: Rows with `tokens` and `tags`; the last tenth is left out, as `train_tuned` only picks an epoch by it.
        test: The same.
        labels: The tags.
        folder: For the output of `Trainer`.
        epochs: Passes over the rows.
        learning_rate: Peak rate.
        seed: Of all random numbers.
    """
    from datasets import Dataset
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        PrinterCallback,
        Trainer,
        TrainingArguments,
        set_seed,
    )
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint, num_labels=len(labels), dtype="float32")

    def encode(rows: Sequence[dict[str, Any]]) -> tuple[Any, list[list[int | None]]]:
        found = tokenizer([row["tokens"] for row in rows], is_split_into_words=True, truncation=True, max_length=128)
        words = [found.word_ids(i) for i in range(len(rows))]
        targets = [
            [
                IGNORED if word is None or (place and mine[place - 1] == word) else labels.index(row["tags"][word])
                for place, word in enumerate(mine)
            ]
            for row, mine in zip(rows, words, strict=True)
        ]
        return Dataset.from_dict({**found, "labels": targets}), words

    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=64,
        seed=seed,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    tested, words = encode(test)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=encode(train[: len(train) * 9 // 10])[0],
        data_collator=DataCollatorForTokenClassification(tokenizer),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    best = np.argmax(trainer.predict(tested).predictions, axis=2)
    answered = []
    for row, mine, places in zip(test, words, best, strict=True):
        tags = ["O"] * len(row["tokens"])
        for place in range(len(mine) - 1, -1, -1):
            word = mine[place]
            if word is not None:
                tags[word] = labels[int(places[place])]
        answered.append(tags)
    return answered
