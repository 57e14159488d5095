"""Question answering on SQuADShifts beside a plain `Trainer` script, on the same rows."""
