"""The loop: an alert comes in, a policy decides, a run makes a challenger, the gate judges, the rollout proves it."""
