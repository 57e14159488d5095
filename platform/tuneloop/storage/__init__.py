"""What a project keeps beyond this machine: at any fsspec URL, or in a folder that several machines mount.

```
STORAGE/NAME/
  channel.json          which version is served
  artifacts/SHA256/     artifacts as they were sealed; the manifest comes last
  steps/tune-KEY/       a training under way: its newest checkpoints; then its result, until the run is over
  runs/RUN/             what a run was asked for
```

Nothing there is seen before it is whole, and everything that is fetched is held against its SHA-256.
"""

from tuneloop.storage.artifacts import fetch_artifact, put_artifact
from tuneloop.storage.checkpoints import fetch_checkpoints, shared_checkpoints
from tuneloop.storage.folders import drop_folder, fetch_folder, put_folder
from tuneloop.storage.places import is_url, join, reaching, shown

__all__ = [
    "drop_folder",
    "fetch_artifact",
    "fetch_checkpoints",
    "fetch_folder",
    "is_url",
    "join",
    "put_artifact",
    "put_folder",
    "reaching",
    "shared_checkpoints",
    "shown",
]
