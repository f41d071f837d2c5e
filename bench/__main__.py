"""Run `python -m bench`: one scenario, or the scenarios of every day or the large ones with the table of bars."""

import argparse
import faulthandler
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import memory, versus_az
from bench.bars import judge
from bench.catalogue import SCENARIOS
from bench.figures import Figures
from bench.limits import SettingsPosts
from bench.report import KEPT, bars_table, figures_table, kept_with, kinds_table, write

OUT = Path("build/bench.json")
APART = {"memory": memory.main, "versus-az": versus_az.main}
"""The programs that run in real time, each with arguments of its own."""
ALL, LARGE = "all", "large"
"""The scenarios of every day, and those that take many minutes each."""
LONGEST_SECONDS = 7200
"""After how many real seconds a scenario ends with the place of each thread, for instance because two locks wait."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments name, and return the exit status."""
    if arguments and arguments[0] in APART:
        return APART[arguments[0]](arguments[1:])
    chosen = _parser().parse_args(arguments)
    if chosen.name in {ALL, LARGE}:
        return _all(large=chosen.name == LARGE, keep=chosen.keep)
    faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)
    scenario = SCENARIOS[chosen.name]
    knobs = [SettingsPosts(chosen.posts)] if chosen.posts else scenario.knobs
    figures = [found for posts in knobs for found in scenario.run(posts)]
    if chosen.json:
        print(json.dumps([found.to_json() for found in figures]))
    else:
        print(figures_table(figures), kinds_table(figures), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Certroll on a simulated Azure with simulated time.",
        epilog="; ".join(f"{name}: {scenario.about}" for name, scenario in SCENARIOS.items()),
    )
    parser.add_argument("name", choices=(ALL, LARGE, *SCENARIOS, *APART), nargs="?", default=ALL)
    parser.add_argument("--posts", choices=tuple(SettingsPosts), help="the bucket for reads of app settings")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--keep", action="store_true", help=f"with {ALL} or {LARGE}: keep the figures for the documentation"
    )
    return parser


def _all(*, large: bool, keep: bool) -> int:
    """Run the scenarios, print both tables, and return 1 if one failed, or if a bar on counts does not hold."""
    chosen = {name: scenario for name, scenario in SCENARIOS.items() if scenario.large == large}
    parts = [(name, posts) for name, scenario in chosen.items() for posts in scenario.knobs]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(pool.map(lambda part: _of_child(*part), parts))
    figures = [figure for part in found for figure in part]
    write(figures, OUT)
    if keep:
        write(kept_with(figures), KEPT)
    print(figures_table(figures))
    print(bars_table(figures))
    return 1 if not all(found) or any(judged.bar.counts and not judged.holds for judged in judge(figures)) else 0


def _of_child(name: str, posts: SettingsPosts) -> list[Figures]:
    """Return the figures of a scenario that runs in a process of its own, so that no other one changes its memory."""
    print(f"- {name}, {posts}", flush=True)
    command = [sys.executable, "-m", "bench", name, "--posts", posts, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)  # noqa: S603 - this program
    if done.returncode:
        print(f"- {name}, {posts}: ended with {done.returncode}", file=sys.stderr, flush=True)
        return []
    return [Figures(**found) for found in json.loads(done.stdout.splitlines()[-1])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
