"""Run the three parts of the demo, and write the report to build/demo.json."""

import json
import time
from pathlib import Path

from local.app import BUILD, LocalApp
from local.demo.bindings import show_bindings
from local.demo.kinds import show_kinds
from local.demo.rights import check_azure, check_storage
from local.demo.rolls import SETTLE
from local.demo.screen import Checks
from local.demo.waves import show_waves
from local.screen import GOOD

REPORT = BUILD / "demo.json"


def main() -> int:
    """Run the demo and return its exit code: 0 if every statement that the demo checks is true, else 1."""
    began, checks = time.monotonic(), Checks()
    screen = checks.screen
    screen.say("Starting a local Azure, Azurite and the function app")
    settings = {"CERTROLL_PROBE_SETTLE": SETTLE, "CERTROLL_MAX_RESTARTS": "2"}
    with LocalApp("contoso", settings, logs=BUILD / "demo", log_storage=True) as local:
        screen.say(f"Ready after {time.monotonic() - began:.1f} s")
        report = show_bindings(local, checks)
        check_azure(checks, local.stand.world)
        check_storage(checks, local.stand.world)
    report["kinds"] = show_kinds(checks)
    report["waves"] = show_waves(checks)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    screen.say(f"Written: {REPORT.relative_to(Path.cwd()) if REPORT.is_relative_to(Path.cwd()) else REPORT}")
    _show_end(checks)
    return 1 if checks.failed else 0


def _show_end(checks: Checks) -> None:
    """Print how the demo ended. The false statements stand together at the end, where a person looks."""
    if not checks.failed:
        checks.screen.line("Everything that the demo checked is as it should be.", GOOD)
        return
    checks.screen.heading(f"FAILED: {len(checks.failed)} of the checks above")
    for text in checks.failed:
        checks.screen.claim(text, holds=False)
