"""Read the environment variables of this process, in one place."""

import os
from collections.abc import Mapping

CARRIED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV")


def of_this_process() -> dict[str, str]:
    """Return all environment variables of this process as a new dictionary."""
    return dict(os.environ)  # noqa: TID251 - the one place in local/ that reads it


def for_child(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process.

    A child process gets the given settings, and the environment variables that every program needs.
    """
    own = of_this_process()
    return {name: own[name] for name in CARRIED if name in own} | {"PYTHONUNBUFFERED": "1"} | dict(settings)
