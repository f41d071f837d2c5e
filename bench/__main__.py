"""Run `python -m bench`: one scenario, or all scenarios with the table of bars."""

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
from bench.bars import judge, missing
from bench.catalogue import SCENARIOS
from bench.figures import Figures
from bench.limits import SettingsPosts
from bench.report import KEPT, bars_table, figures_table, kinds_table, write

OUT = Path("build/bench.json")
APART = {"memory": memory.main, "versus-az": versus_az.main}
"""The programs that run in real time, each with arguments of its own."""
ALL = "all"
LONGEST_SECONDS = 1800
"""After how many real seconds a scenario ends with the place of each thread, for instance because two locks wait."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments name, and return the exit status."""
    if arguments and arguments[0] in APART:
        return APART[arguments[0]](arguments[1:])
    chosen = _parser().parse_args(arguments)
    if chosen.name == ALL:
        return _all(keep=chosen.keep)
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
    parser.add_argument("name", choices=(ALL, *SCENARIOS, *APART), nargs="?", default=ALL)
    parser.add_argument("--posts", choices=tuple(SettingsPosts), help="the bucket for reads of app settings")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--keep", action="store_true", help=f"with {ALL}: keep the figures for the documentation")
    return parser


def _all(*, keep: bool) -> int:
    """Run every scenario, print both tables, and return 1 if a bar on counts does not hold or was not measured."""
    parts = [(name, posts) for name, scenario in SCENARIOS.items() for posts in scenario.knobs]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        figures = [found for part in pool.map(lambda part: _of_child(*part), parts) for found in part]
    for path in (OUT, KEPT) if keep else (OUT,):
        write(figures, path)
    print(figures_table(figures))
    print(bars_table(figures))
    for bar in (unmeasured := missing(figures)):
        print(f"not measured: {bar.figure}, {bar.fleet}, {bar.value}", file=sys.stderr)
    return 1 if unmeasured or any(found.bar.counts and not found.holds for found in judge(figures)) else 0


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
