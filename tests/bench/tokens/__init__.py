"""Token classification on WNUT 2017 beside a plain `Trainer` script, on the same rows."""
