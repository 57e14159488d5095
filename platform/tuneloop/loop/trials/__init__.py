"""A new version tried beside the champion: what is counted, compared and judged while it is."""
