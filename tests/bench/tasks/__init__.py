"""Every task on real data, beside a plain reference on the same rows in the same run."""
