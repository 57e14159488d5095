"""Late labels read in the order in which they came, by the detectors that the project names.

```
labels + predictions -> journal -> detectors -> changes, metrics
```

The journal is a table beside the predictions: each labelled answer is entered once, in the order in which it was read,
with its error. No detector is ever stored. After a restart each is made anew and reads the journal again, from behind
the last change it said: libraries keep their windows in forms that only a pickle could hold, and a state that is
written at every label would have to agree with the journal at every crash, while what follows from the journal does.
So a kill at any point loses no outcome and counts none twice.

A corrected label changes the error in the journal at its old place, and the detectors of that version read it again. A
change that was said stays said.
"""

from tuneloop.loop.outcomes.judge import Judge
from tuneloop.loop.outcomes.reader import OutcomeReader

__all__ = ["Judge", "OutcomeReader"]
