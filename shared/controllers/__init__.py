"""Each folder handles one queue or one timer, and its `controller.py` is the module to read first."""
