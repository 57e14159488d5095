"""`tuneloop demo`: the whole loop on real text, on this machine, in minutes."""
