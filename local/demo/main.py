"""Run the three parts of the demo, and write the report to build/demo.json."""

import json
import sys
import time
from pathlib import Path

from local.app import BUILD, LocalApp
from local.demo.bindings import show_bindings
from local.demo.kinds import show_kinds
from local.demo.rolls import SETTLE
from local.demo.screen import say
from local.demo.waves import show_waves

REPORT = BUILD / "demo.json"


def main() -> int:
    """Run the demo and return its exit code: 0 if every statement that the demo checks is true, else 1."""
    began = time.monotonic()
    say("Starting a local Azure, Azurite and the function app")
    settings = {"CERTROLL_PROBE_SETTLE": SETTLE, "CERTROLL_MAX_RESTARTS": "2"}
    with LocalApp("contoso", settings, logs=BUILD / "demo", log_storage=True) as local:
        say(f"Ready after {time.monotonic() - began:.1f} s")
        report, checks = show_bindings(local)
    report["kinds"] = show_kinds(checks)
    report["waves"] = show_waves(checks)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    say(f"Written: {REPORT.relative_to(Path.cwd()) if REPORT.is_relative_to(Path.cwd()) else REPORT}")
    if checks.failed:
        print(f"\nFAILED: {len(checks.failed)} of the claims above did not hold", file=sys.stderr)
    return 1 if checks.failed else 0
