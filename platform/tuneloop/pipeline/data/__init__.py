"""From a source to encoded rows: load, check, split, transforms, encoding."""
