"""Run Microsoft's Bicep compiler as one process, by the JSON-RPC of `bicep jsonrpc`.

One process answers all requests in some 25 seconds. A process for each file would load Azure's types each time.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.sources import INFRA

VERSION = (INFRA / "bicep.version").read_text(encoding="utf-8").strip()
SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
TENANT = "00000000-0000-0000-0000-0000000000ff"
WHERE_FROM = (
    f"Install Bicep {VERSION} from https://github.com/Azure/bicep/releases/tag/v{VERSION}, "
    "and put `bicep` on the path or name the file: make infra BICEP=/path/to/bicep"
)


class CompilerError(Exception):
    """The compiler is missing, has another version, or refuses a request."""


class Compiler:
    """A running Bicep compiler."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Take the process of `bicep jsonrpc --stdio`."""
        self._process = process
        self._requests = 0

    def version(self) -> str:
        """Return the version of the compiler."""
        return str(self._ask("version", {})["version"])

    def formatted(self, path: Path) -> str:
        """Return the text of a Bicep file as the compiler would format it."""
        return str(self._ask("format", {"path": str(path)})["contents"])

    def compiled(self, path: Path) -> tuple[str, list[str]]:
        """Return the ARM template of a Bicep file, and every error and warning about the file and its modules."""
        answer = self._ask("compile", {"path": str(path)})
        return str(answer["contents"] or ""), [_diagnostic(entry) for entry in answer["diagnostics"]]

    def snapshot(self, path: Path) -> str:
        """Return what a parameter file would deploy, as JSON. Raises CompilerError if the file has an error."""
        metadata = {
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": None,
            "location": "westeurope",
            "deploymentName": "certroll",
        }
        asked = {"path": str(path), "metadata": metadata, "externalInputs": []}
        return str(self._ask("getSnapshot", asked)["snapshot"])

    def _ask(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        self._requests += 1
        request = {"jsonrpc": "2.0", "id": self._requests, "method": f"bicep/{method}", "params": params}
        body = json.dumps(request).encode()
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise CompilerError("the compiler has no pipes")
        requests.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        requests.flush()
        length = 0
        while line := answers.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        answer = json.loads(answers.read(length) or "{}")
        if "result" not in answer:
            problem = answer.get("error", {}).get("message", "the compiler ended")
            raise CompilerError(f"{params.get('path', method)}: {problem}")
        found: dict[str, Any] = answer["result"]
        return found


@contextmanager
def running_compiler() -> Iterator[Compiler]:
    """Start the compiler that BICEP names, or `bicep` on the path, and end it after use.

    Raises CompilerError if there is no compiler, or if it has another version than infra/bicep.version.
    """
    command = compiler_path()
    process = subprocess.Popen([command, "jsonrpc", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - the operator names the compiler
    try:
        compiler = Compiler(process)
        if (version := compiler.version()) != VERSION:
            raise CompilerError(f"{command} is Bicep {version}; infra/bicep.version asks for {VERSION}. {WHERE_FROM}")
        yield compiler
    finally:
        process.kill()
        process.communicate()


def lint(path: Path) -> list[str]:
    """Return every line that `bicep lint` prints about a file and its modules. A good file has none."""
    done = subprocess.run([compiler_path(), "lint", str(path)], capture_output=True, text=True, check=False)  # noqa: S603 - as above
    return [line for line in done.stderr.splitlines() if line.strip()]


def compiler_path() -> str:
    """Return the path of the compiler. Raises CompilerError if there is none."""
    named = os.environ.get("BICEP") or "bicep"  # noqa: TID251 - `make infra BICEP=…` is how an operator names it
    found = shutil.which(named)
    if found is None:
        raise CompilerError(f"There is no compiler {named!r}, so nothing was checked. {WHERE_FROM}")
    return found


def _diagnostic(entry: dict[str, Any]) -> str:
    start = entry["range"]["start"]
    return f"{entry['source']}({start['line'] + 1},{start['char'] + 1}): {entry['code']}: {entry['message']}"
