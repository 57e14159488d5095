"""How right the answers are: counted as labels come, estimated without them, and judged from the prediction store."""
