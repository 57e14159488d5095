"""The loop's web page: what it does and why, and the buttons of the people who run it. Server-rendered, no script."""
