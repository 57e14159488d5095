"""The two doors over HTTP: what a client sends, is refused, and gets back."""
