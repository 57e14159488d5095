"""From a base model to a tuned one: baseline, candidates, search, training in this process or in many."""
