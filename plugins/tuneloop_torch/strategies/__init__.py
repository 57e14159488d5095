"""Strategies: what is trainable when. All of them use the one loop beside this folder."""
