"""Run the commands of `python -m local`: `--help` lists them."""

import argparse
import difflib
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import azurite, kusto
from local.console import plans, shell, steering
from local.console.client import NoAnswer, Refused
from local.ending import Ended, on_signals
from local.instance import NOTED, start
from local.process import StartFailed
from local.running import NotRunning, announced, has_ended, read_running
from local.screen import Screen
from local.setting_names import UnknownSetting, check_names

HIGHEST_PORT = 65_535
USAGE = 2
"""The exit code for a command line that is wrong, as argparse has it."""
COMMANDS = ("setup", "up", "demo", "shell", "watch", "renew", "sweep", "plan", "env")
"""The commands, in the order in which `--help` lists them."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code.

    If the command cannot run, print the cause to standard error and return 1.
    """
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return USAGE
    if (guess := _near_command(arguments[0])) is not None:
        print(guess, file=sys.stderr)
        return USAGE
    options = parser.parse_args(arguments)
    try:
        with on_signals():
            return int(options.run(options))
    except Ended as ended:
        print(
            "\nEnded. Nothing of the local Azure runs any more." if options.starts_all else "\nEnded.", file=sys.stderr
        )
        return ended.exit_code
    except NoAnswer as silent:
        is_over = has_ended(options.file)
        print(f"the local Azure has ended; start: {start(options.file)}" if is_over else silent, file=sys.stderr)
        return 1
    except (azurite.NotInstalled, StartFailed, NotRunning, Refused) as problem:
        print(problem, file=sys.stderr)
        return 1


def _near_command(word: str) -> str | None:
    """Return what to tell about a misspelt command. Return None for a command and for an option."""
    if word in COMMANDS or word.startswith("-"):
        return None
    near = difflib.get_close_matches(word, COMMANDS, 1)
    guess = f"Do you mean {near[0]}?" if near else f"There are {', '.join(COMMANDS)}."
    return f"There is no command {word!r}. {guess}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Azure on one machine, for development.")
    parser.set_defaults(starts_all=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("setup", help="install Azurite and the analyser of Kusto queries").set_defaults(run=_setup)
    up = commands.add_parser("up", help="keep a local Azure, Azurite and the function app running until Ctrl-C")
    up.add_argument("--world", default="contoso", help="contoso (default), fabrikam, northwind or empty")
    up.add_argument(
        "--setting", action="append", default=[], type=_setting, metavar="NAME=VALUE", help="a setting of the app"
    )
    up.add_argument("--seed", type=int, default=0, help="seed of the world's ids")
    up.add_argument(
        "--port", type=_port, metavar="PORT", default=7071, help="port of the function app; 0 takes a free one"
    )
    up.add_argument(
        "--no-app", action="store_true", help="leave the function app to another host, such as `func start`"
    )
    up.add_argument(
        "--events", choices=("queue", "webhook"), default="queue", help="where Event Grid delivers the vaults' events"
    )
    rows = "also write telemetry.jsonl, the rows that a host sends to Application Insights"
    up.add_argument("--telemetry", action="store_true", help=rows)
    up.set_defaults(run=_up, starts_all=True)
    demo = commands.add_parser("demo", help="renew certificates, and show and check that each host name serves them")
    demo.set_defaults(run=_demo, starts_all=True)
    named = [up, *_parsers_of_person(commands)]
    for command in named:
        told = "the file that notes the running one; a second one needs another file"
        command.add_argument("--file", type=_file, default=NOTED, help=told)
    return parser


def _parsers_of_person(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> list[argparse.ArgumentParser]:
    """Add the commands for a local Azure that runs in another terminal."""
    shell = commands.add_parser("shell", help="open a shell whose programs reach the running one")
    shell.add_argument("command", nargs=argparse.REMAINDER, help="run this command instead of an interactive shell")
    shell.add_argument("-c", dest="line", metavar="LINE", help=argparse.SUPPRESS)
    shell.set_defaults(run=_shell)
    watch = commands.add_parser("watch", help="show live what is served, what Certroll does, and its findings")
    watch.set_defaults(run=_watch)
    renew = commands.add_parser("renew", help="renew a certificate in a vault")
    renew.add_argument("name", help="the name of the certificate or secret, or vault/name")
    renew.set_defaults(run=_renew)
    sweep = commands.add_parser("sweep", help="inspect every certificate now")
    sweep.set_defaults(run=_sweep)
    plan = commands.add_parser("plan", help="show Certroll's newest plans; after a renewal, wait for the plan")
    plan.add_argument("name", nargs="?", help="the name of one certificate, or vault/name")
    plan.set_defaults(run=_plan)
    exported = "print the environment as export lines: that of a person, or with --no-app that of the app"
    env = commands.add_parser("env", help=exported)
    env.set_defaults(run=_env)
    return [shell, watch, renew, sweep, plan, env]


def _port(text: str) -> int:
    """Return the port. Raise ArgumentTypeError for a text that is no port."""
    if text.isascii() and text.isdigit() and int(text) <= HIGHEST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: name 0 for a free port, or a number up to {HIGHEST_PORT}")


def _file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name of the file is empty")
    return Path(text)


def _setting(text: str) -> tuple[str, str]:
    """Return the name and the value of a text NAME=VALUE.

    Raise ArgumentTypeError for another text, and for a name that neither Certroll nor the Functions host reads.
    """
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        check_names([name])
    except UnknownSetting as unknown:
        raise argparse.ArgumentTypeError(str(unknown)) from unknown
    return name, value


def _setup(_: argparse.Namespace) -> int:
    azurite.install()
    kusto.install()
    return 0


def _up(options: argparse.Namespace) -> int:
    from local.up import up  # noqa: PLC0415 - `setup` and `env` need none of its imports

    with announced(options.file) as announce:
        port = None if options.no_app else options.port
        given = (options.world, dict(options.setting), options.seed, port, announce, options.file, options.events)
        up(*given, log_telemetry=options.telemetry)
    return 0


def _demo(_: argparse.Namespace) -> int:
    from local.demo.main import main  # noqa: PLC0415 - `setup` and `env` need none of its imports

    return main()


def _env(options: argparse.Namespace) -> int:
    running = read_running(options.file)
    print(_exports(running.app or running.environment))
    return 0


def _shell(options: argparse.Namespace) -> int:
    running = read_running(options.file)
    if options.line is not None:
        raise NotRunning(f"`shell` has no option -c. Run: {shell.line_for_a_shell(running, options.line)}")
    return shell.shell(running, options.command)


def _watch(options: argparse.Namespace) -> int:
    from local.console.watch import watch  # noqa: PLC0415 - `setup` needs none of its imports

    running = read_running(options.file)
    try:
        watch(running, Screen())
    except Ended:
        return 0
    return 0


def _renew(options: argparse.Namespace) -> int:
    steering.renew(read_running(options.file), options.name, Screen())
    return 0


def _sweep(options: argparse.Namespace) -> int:
    return steering.sweep(read_running(options.file), Screen())


def _plan(options: argparse.Namespace) -> int:
    plans.show_plans(read_running(options.file), options.name, Screen())
    return 0


def _exports(variables: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
