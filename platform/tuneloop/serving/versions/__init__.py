"""Which version answers: the channel, the change from one to the next, and challengers."""
