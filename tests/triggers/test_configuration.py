"""Check what the Functions host reads besides the code: host.json, and the list of files that reach Azure."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pathspec import GitIgnoreSpec

from local.host import configuration
from local.host.configuration import HostSettings
from local.patience import HANG
from shared.domain.deadline import FUNCTION_TIME_OUT, RECORD_TIME
from shared.version import VERSION
from tests.triggers.app import ROOT

MOST_LINES = 39
DEPLOYED = {"function_app.py", "functions", "host.json", "requirements.txt", "shared"}
KEPT_BACK = [
    "local/app.py",
    "local/azurite/node_modules/azurite/package.json",
    "tests/triggers/app.py",
    "infra/main.bicep",
    "docs/reference/settings.md",
    "build/demo.json",
    ".git/config",
    ".ci/run",
    ".venv/bin/python",
    "shared/__pycache__/work.cpython-311.pyc",
    "local.settings.json",
    "requirements-dev.txt",
    "requirements-runtime.txt",
    "README.md",
    "SECURITY.md",
    ".github/workflows/ci.yml",
    ".pre-commit-config.yaml",
]
NOT_IN_A_CHECKOUT = {"build/", "infra/", "local.settings.json", "__pycache__/"}
"""Names in .funcignore that tools create, and the deployment templates that will be added later."""


@pytest.fixture(scope="module")
def host() -> HostSettings:
    """Return host.json as the Functions host reads it."""
    return configuration.read(ROOT, {})


@pytest.fixture(scope="module")
def ignored() -> GitIgnoreSpec:
    """Return the patterns of the files that stay out of a deployment."""
    return GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())


def test_failed_message_comes_back_five_times(host: HostSettings) -> None:
    """The host delivers a failed message five times, two minutes apart."""
    assert host.queues.visibility_timeout == timedelta(minutes=2)
    assert host.queues.max_dequeue_count == 5


def test_every_message_reaches_certroll(host: HostSettings) -> None:
    """The host decodes no message itself, because it would drop a message that it cannot decode."""
    assert host.queues.message_encoding == "none"


def test_run_ends_before_the_host_ends_it(host: HostSettings) -> None:
    """A run of Certroll that uses all of its time ends half a minute before the host's time limit."""
    assert host.function_timeout == FUNCTION_TIME_OUT == timedelta(minutes=10)
    assert host.function_timeout >= RECORD_TIME + timedelta(seconds=30)


def test_queues_work_in_azure_too() -> None:
    """host.json names the extension bundle for queues and does not filter out Certroll's log events."""
    settings: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
    assert settings["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    assert settings["extensionBundle"]["version"].startswith("[4.")
    assert settings["logging"]["logLevel"]["default"] == "Information"


def test_a_missing_queue_fills_no_log() -> None:
    """The host logs no warning each time it asks for a missing queue (azure-sdk-for-net issue 27792)."""
    settings: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
    assert settings["logging"]["logLevel"]["Azure.Core"] == "Error"


def test_function_app_only_registers() -> None:
    """function_app.py stays a short list of the functions."""
    assert len((ROOT / "function_app.py").read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", KEPT_BACK)
def test_what_is_not_the_app_stays_here(ignored: GitIgnoreSpec, path: str) -> None:
    """Simulations, tests, documents and files that tools create are not deployed to Azure."""
    assert ignored.match_file(path)


def test_what_is_kept_back_exists() -> None:
    """Each name in .funcignore that is no pattern exists in a checkout, or a tool creates a file of that name."""
    names = {line for line in (ROOT / ".funcignore").read_text().splitlines() if line[0] != "." and "*" not in line}
    assert {name for name in names - NOT_IN_A_CHECKOUT if not (ROOT / name).exists()} == set()


def test_what_is_deployed_is_enough(ignored: GitIgnoreSpec, tmp_path: Path) -> None:
    """The deployed files alone make a working app, in which every module can be imported and knows its version."""
    for name in DEPLOYED:
        for path in (ROOT / name).rglob("*") if (ROOT / name).is_dir() else [ROOT / name]:
            relative = path.relative_to(ROOT)
            if path.is_file() and not ignored.match_file(relative):
                (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, tmp_path / relative)
    assert {path.name for path in tmp_path.iterdir()} == DEPLOYED
    modules = [".".join(p.relative_to(tmp_path).with_suffix("").parts) for p in sorted(tmp_path.rglob("*.py"))]
    imports = f"import importlib, sys\nsys.path.insert(0, '.')\nfor m in {modules}: importlib.import_module(m)"
    imports += "\nprint(importlib.import_module('shared.version').VERSION)"
    result = subprocess.run(  # noqa: S603 - the test starts its own interpreter, without a shell
        [sys.executable, "-I", "-c", imports], cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == VERSION
