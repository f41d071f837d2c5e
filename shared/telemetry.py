"""What is said about a run: one JSON object per line, named noun.past_tense.

The fields go in the message: the Functions host overwrites `extra` dimensions (azure-functions-python-worker, issue
694).
"""

import json
import logging

_LOGGER = logging.getLogger("certroll")


def event(name: str, **fields: object) -> None:
    """Log one event. Each name is explained in docs/reference/events.md."""
    _LOGGER.info(json.dumps({"event": name, **fields}, default=str))
