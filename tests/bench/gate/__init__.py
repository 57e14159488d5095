"""The gate benchmark: how often equal, better and worse challengers pass, over one attempt and over twenty."""
