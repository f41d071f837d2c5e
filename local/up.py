"""Keep a local Azure running for a person, until a signal ends it."""

import errno
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from local import environment
from local.app import Events, LocalApp
from local.console.steering import vault_objects
from local.ending import Ended
from local.fleet import fleet
from local.instance import NOTED, UP, command, logs_of, short
from local.process import StartFailed
from local.running import NotRunning, Running
from local.screen import Screen
from local.worlds.named import WORLDS

ROOT = Path(__file__).resolve().parents[1]
LOOK_EVERY = 1.0
GREETING = "local Functions host"
"""The words with which the local Functions host answers at its root."""
NEXT = (
    ("watch", "See live what is served, and what Certroll does"),
    ("renew {name}", "Renew a certificate"),
    ("shell", "Open a shell for curl, git and az"),
)


USUAL: Mapping[str, str] = {"CERTROLL_PROBE_SETTLE": "2s"}
"""A simulated app restarts at once, so a person need not wait the default 120 s for its first answer."""
READ_SETTINGS = """
from shared.domain.errors import SettingsInvalid
from shared.settings import load_settings
try:
    load_settings()
except SettingsInvalid as problem:
    raise SystemExit(str(problem))
"""
"""The program with which the function app's own code reads the settings, in a process of its own."""
VAULT_LATER = "made-later"
"""The name of a vault that stands for the vaults which a person will make in a world without vaults."""
OF_WORLD: Mapping[str, Mapping[str, str]] = {"northwind": {"CERTROLL_ASE_MAX_UNAVAILABLE": "2"}}
"""The settings without which Certroll leaves a world's job to a person."""


def up(
    world: str,
    settings: Mapping[str, str],
    seed: int,
    port: int | None,
    announce: Callable[[Running], None],
    noted: Path = NOTED,
    events: Events = "queue",
    *,
    log_telemetry: bool = False,
) -> None:
    """Run a local Azure with this world until a signal arrives. Without a port, another host runs the app.

    `noted` is the file that notes the local Azure, and its logs are next to the file. Raise NotRunning if the world is
    unknown, if another program has the port, or if the function app refuses a setting. Raise StartFailed if the
    function app ends.
    """
    if world not in WORLDS:
        raise NotRunning(f"there is no world {world!r}; there are {', '.join(sorted(WORLDS))}")
    if port:
        _check_port(port, command(f"{UP} --world {world} --port 0", noted))
    print("Starting the local Azure, Azurite and the function app …", file=sys.stderr)
    chosen = {**USUAL, **OF_WORLD.get(world, {}), **settings}
    logs, hosted = logs_of(noted), port is not None
    with LocalApp(
        world,
        chosen,
        seed=seed,
        port=port or 0,
        logs=logs,
        noted=noted,
        host_app=hosted,
        events=events,
        log_telemetry=log_telemetry,
    ) as local:
        check_settings(_judged(local))
        try:
            log = str(local.host.log.resolve()) if local.host else ""
            running = Running(local.environment(), log, noted, local.environment_of_app())
            announce(running)
            tell_next(local, running, Screen())
            _watch_host(local)
        except Ended:
            print("Stopping. A second Ctrl-C ends it at once.", file=sys.stderr)


def _judged(local: LocalApp) -> Mapping[str, str]:
    """Return the app settings to check. A world without a vault gets its vaults later, and names none at the start."""
    settings = local.app_settings()
    named = settings["CERTROLL_VAULTS"] or local.stand.world.vaults
    return settings if named else {**settings, "CERTROLL_VAULTS": VAULT_LATER}


def check_settings(settings: Mapping[str, str]) -> None:
    """Raise NotRunning with the function app's own words if it refuses one of these app settings.

    Without this check, each run of the function app would fail, and name the setting only in the log.
    """
    reader = subprocess.run(  # noqa: S603 - our own program, no shell
        [sys.executable, "-c", READ_SETTINGS],
        env=environment.for_child({**settings, "PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=False,
    )
    if reader.returncode:
        raise NotRunning(f"the function app refuses its settings: {reader.stderr.strip()}")


def _check_port(port: int, on_free_port: str) -> None:
    """Raise NotRunning if another program, such as the host of another local Azure, has the port.

    `on_free_port` is the command that starts this local Azure on a free port.
    """
    greeting = _greeting(port)
    if GREETING in greeting:
        pid = next((word for word in greeting.rstrip(".\n").split() if word.isdigit()), "PID")
        raise NotRunning(
            f"another local Azure has port {port}; its Functions host is process {pid}. "
            f"Press Ctrl-C in its terminal, or run `kill {pid}`. To run both: {on_free_port}"
        )
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as problem:
        raise NotRunning(
            f"port {port} cannot be used ({os.strerror(problem.errno or errno.EADDRINUSE)}): stop the program that has "
            f"the port, or take a free port: {on_free_port}"
        ) from problem


def _greeting(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/", timeout=LOOK_EVERY) as answer:
            return str(answer.read(1000).decode(errors="replace"))
    except OSError:
        return ""


def tell_next(local: LocalApp, running: Running, screen: Screen) -> None:
    """Print what a person does next, and where the log is."""
    objects = vault_objects(fleet(local.stand.world))
    name = str(objects[0]) if objects else "VAULT/NAME"
    screen.line("Running. Ctrl-C stops it. In another terminal:")
    for words, what in NEXT:
        screen.note(f"{what}:")
        screen.command(running.command(words.format(name=name)))
    if local.host is None:
        screen.note("Print the environment for the host that runs the app:")
        screen.command(running.command("env"))
    else:
        screen.line(f"The log of the function app is {short(local.host.log)}.")


def _watch_host(local: LocalApp) -> None:
    """Wait until a signal ends the command. Raise StartFailed if the function app ends earlier."""
    while local.host is None or local.host.running:
        threading.Event().wait(LOOK_EVERY)
    raise StartFailed(f"the function app has ended; its log is {local.host.log}")
