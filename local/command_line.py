"""Run the commands of `python -m local`: setup, up, demo and env."""

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local import azurite
from local.process import StartFailed

ROOT = Path(__file__).resolve().parents[1]
RUNNING = ROOT / "build" / "local.json"
LOOK_EVERY = 1.0


class NotRunning(Exception):
    """A command of `python -m local` cannot run now. The message of `NotRunning` names the operator's next step."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code.

    If the command cannot run, print the cause to standard error and return 1.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (azurite.NotInstalled, StartFailed, NotRunning) as problem:
        print(problem, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Azure on one machine, for development.")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("setup", help="install Azurite").set_defaults(run=_setup)
    up = commands.add_parser("up", help="keep a local Azure, Azurite and the function app running until Ctrl-C")
    up.add_argument("--world", default="contoso", help="contoso (default), fabrikam, northwind or empty")
    up.add_argument(
        "--setting", action="append", default=[], type=_setting, metavar="NAME=VALUE", help="a setting of the app"
    )
    up.add_argument("--seed", type=int, default=0, help="seed of the world's ids")
    up.add_argument("--port", type=int, default=7071, help="port of the function app; 0 takes a free one")
    up.add_argument(
        "--no-app", action="store_true", help="leave the function app to another host, such as `func start`"
    )
    up.set_defaults(run=_up)
    demo = commands.add_parser("demo", help="renew certificates, and show and check that each host name serves them")
    demo.set_defaults(run=_demo)
    env = commands.add_parser("env", help="print the environment of the running one as shell export lines")
    env.set_defaults(run=_env)
    for command in (up, env):
        command.add_argument("--file", type=Path, default=RUNNING, help="where the running one is noted")
    return parser


def _setting(text: str) -> tuple[str, str]:
    """Return the name and the value of a text NAME=VALUE. Raise ArgumentTypeError for others."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _setup(_: argparse.Namespace) -> int:
    azurite.install()
    return 0


def _up(options: argparse.Namespace) -> int:
    from local.app import LocalApp  # noqa: PLC0415 - `setup` and `env` need none of its imports
    from local.stand import WORLDS  # noqa: PLC0415 - see _demo

    if options.world not in WORLDS:
        raise NotRunning(f"there is no world {options.world!r}; there are {', '.join(sorted(WORLDS))}")
    if (running := _read_running(options.file)) is not None:
        raise NotRunning(f"a local Azure already runs, as process {running['pid']}: stop that one first")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    print("Starting the local Azure, Azurite and the function app …", file=sys.stderr)
    how = {"seed": options.seed, "port": options.port, "host_app": not options.no_app}
    with LocalApp(options.world, dict(options.setting), **how) as local:
        variables = local.environment()
        with _announced(options.file, variables):
            print(_exports(variables), flush=True)
            print("Running. Ctrl-C stops it.", file=sys.stderr)
            while not stopping.wait(LOOK_EVERY):
                if local.host is not None and not local.host.running:
                    raise StartFailed(f"the function app has ended; its log is {local.host.log}")
            print("Stopping …", file=sys.stderr)
    return 0


def _demo(_: argparse.Namespace) -> int:
    from local.demo.main import main  # noqa: PLC0415 - `setup` and `env` need none of its imports

    return main()


def _env(options: argparse.Namespace) -> int:
    running = _read_running(options.file)
    if running is None:
        raise NotRunning("no local Azure is running here: start one with `make local`, in another terminal")
    print(_exports(running["environment"]))
    return 0


@contextlib.contextmanager
def _announced(path: Path, variables: Mapping[str, str]) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), "environment": dict(variables)}, file, indent=2)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _read_running(path: Path) -> dict[str, Any] | None:
    try:
        running: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        os.kill(running["pid"], 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return running


def _exports(variables: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
