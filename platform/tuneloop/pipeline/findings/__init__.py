"""What a look at the rows finds, one kind a file; `check` brings them together."""
