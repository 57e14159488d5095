"""Tuneloop: fine-tune, serve, watch and retune a model from one YAML file."""

import os

__version__ = "0.1.0"

TELEMETRY_OFF = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What keeps the libraries from reporting to their makers. They read it when they are imported, which is later."""

for _name, _value in TELEMETRY_OFF.items():
    os.environ.setdefault(_name, _value)
