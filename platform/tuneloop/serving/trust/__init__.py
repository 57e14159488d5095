"""Who may ask, from where, and which versions may be served: tokens, exposure, signatures."""
