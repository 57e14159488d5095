"""The drift benchmark: the alert rules beside other rules, on the same streams, with and without a change."""
