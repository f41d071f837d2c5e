"""The commands of `python -m local`."""

import argparse
import sys
from collections.abc import Sequence

from local import azurite
from local.process import StartFailed


def main(arguments: Sequence[str]) -> int:
    """The command has run; its exit code, 1 with a reason on standard error where it could not."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run())
    except (azurite.NotInstalled, StartFailed) as problem:
        print(problem, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Azure on one machine, for development.")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("setup", help="install Azurite").set_defaults(run=_setup)
    return parser


def _setup() -> int:
    azurite.install()
    return 0
