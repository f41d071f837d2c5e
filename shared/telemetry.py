"""Log the events of a run as one JSON object per line, each named noun.past_tense.

The fields of an event are part of the message, because the Functions host overwrites `extra` dimensions
(azure-functions-python-worker, issue 694).
"""

import json
import logging

_LOGGER = logging.getLogger("certroll")


def event(name: str, **fields: object) -> None:
    """Log one event. docs/reference/events.md explains each event name."""
    _LOGGER.info(json.dumps({"event": name, **fields}, default=str))
