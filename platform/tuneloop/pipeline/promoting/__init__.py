"""From a sealed artifact to the champion: register, gate, challenge, promote, roll back."""
