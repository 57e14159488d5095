"""Whether a run starts: the policy, what it rests on, the clock, the pause, and people's words."""
