"""Looking for good options: trials of the pipeline up to training, kept in an Optuna study."""
