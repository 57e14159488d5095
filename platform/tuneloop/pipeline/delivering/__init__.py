"""From a tuned model to a sealed artifact and its Bento: export, verify, profile, manifest, package."""
