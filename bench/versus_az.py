"""Renew four certificates of Contoso by hand with Microsoft's az CLI, and by Certroll, and compare both per binding.

The az CLI is a program of its own, so its part runs in real time against the local Azure, whose answers are as late as
in the other scenarios. Certroll's part runs in simulated time on the same fleet. A person would also look for the
certificates and bindings, and would not type as fast as this program.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import CONTOSO, Figures
from bench.limits import SettingsPosts, limit
from bench.measure import counts
from bench.report import figures_table
from bench.scenarios import Counts, bound, four_renewals
from local.azure.scripting.clock import Clock
from local.azure.world import World
from local.environment import of_this_process
from local.stand import Stand
from local.worlds.contoso import contoso

VERSION = "2.91.0"
INSTALLED = Path("build/az")
MISSING = (
    "There is no az. Install it (docs/contributing/local-azure.md, Use az), name it with --az, or let this program "
    f"install azure-cli {VERSION} into {INSTALLED} with --install."
)
Command = tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Measure both, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m bench versus-az", description=__doc__)
    parser.add_argument("--az", default=shutil.which("az"), help="the az program; the default is az on the path")
    parser.add_argument("--install", action="store_true", help=f"install azure-cli {VERSION} into {INSTALLED} first")
    chosen = parser.parse_args(arguments)
    az = _install() if chosen.install else chosen.az
    if az is None:
        print(MISSING, file=sys.stderr)
        return 2
    figures = [_by_az(az), *four_renewals(SettingsPosts.WRITES)]
    print(figures_table(figures))
    for found in figures:
        moved = found.more["bindings moved"] or 1
        print(
            f"{found.name}: {found.requests / moved:.1f} requests and {found.seconds / moved:.2f} s per binding moved"
        )
    return 0


def _install() -> str:
    """Install the az CLI into an environment of its own, because it pins its own packages."""
    subprocess.run([sys.executable, "-m", "venv", INSTALLED], check=True)  # noqa: S603 - this Python
    python = INSTALLED / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"azure-cli=={VERSION}"], check=True)  # noqa: S603 - as the documentation says
    return str(INSTALLED / "bin" / "az")


def _by_az(az: str) -> Figures:
    """Return what az needs to move the bindings of the renewed certificates."""
    world = contoso(Clock.real())
    renewing = [(vault, name) for vault, name in world.renewing if not name.endswith("client")]
    old = {world.vaults[vault].certificates[name].newest.thumbprint for vault, name in renewing}
    bindings = bound(world, *old)
    for vault, name in renewing:
        world.vaults[vault].renew(name)
    limit(world, SettingsPosts.WRITES)
    with Stand(world) as stand, tempfile.TemporaryDirectory() as folder:
        variables = of_this_process() | stand.environment_of_person() | {"AZURE_CONFIG_DIR": folder}
        _run(az, ("login", "--identity"), variables)
        world.journal.clear()
        began, failed = time.monotonic(), 0
        for command in _commands(world, old):
            failed += not _run(az, command, variables)
        seconds = time.monotonic() - began
    more: Counts = {"bindings": bindings, "bindings moved": bindings - bound(world, *old), "failed commands": failed}
    sent = counts(world.journal.entries())
    return Figures("the same by az", CONTOSO, "", round(seconds, 1), **sent, more=more, failed={})  # type: ignore[arg-type]  # each count is a whole number


def _commands(world: World, old: set[str]) -> Iterator[Command]:
    """Yield the commands that import each renewed certificate again, and that move the bindings which then stay."""
    for copy in tuple(world.web.certificates.values()):
        if copy.source is None or copy.thumbprint not in old:
            continue
        vault = copy.source.vault_id.rpartition("/")[2]
        subscription = ("--subscription", copy.subscription)
        where = ("-g", copy.resource_group, "--certificate-name", copy.name, *subscription)
        what = ("--key-vault", vault, "--key-vault-certificate-name", copy.source.secret_name)
        yield ("webapp", "config", "ssl", "import", *where, *what)
    for site in tuple(world.web.sites.values()):
        for host in site.hosts.values():
            if host.thumbprint in old:
                yield from _bind(world, site.id, host.name)


def _bind(world: World, site_id: str, host_name: str) -> Iterator[Command]:
    """Yield the command that binds the newest certificate to a host name of a site or slot."""
    site = world.web.sites.get(site_id)
    host = site.hosts[host_name.lower()] if site else None
    if site is None or host is None:
        return
    newest = next(
        found.newest.thumbprint
        for vault in world.vaults.values()
        for found in vault.certificates.values()
        if host.thumbprint in {version.thumbprint for version in found.versions}
    )
    kind = "IP" if host.ssl_state == "IpBasedEnabled" else "SNI"
    slot = ("--slot", site.slot) if site.slot else ()
    where = ("-g", site.resource_group, "-n", site.name, *slot, "--subscription", site.subscription)
    yield (
        "webapp",
        "config",
        "ssl",
        "bind",
        *where,
        "--certificate-thumbprint",
        newest,
        "--ssl-type",
        kind,
        "--hostname",
        host.name,
    )


def _run(az: str, command: Command, variables: dict[str, str]) -> bool:
    """Run az, and return True if it succeeded. Print what az says to a failure."""
    done = subprocess.run([az, *command, "-o", "none"], env=variables, capture_output=True, check=False, text=True)  # noqa: S603 - the given az
    if done.returncode:
        print(f"az {' '.join(command[:4])}: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return done.returncode == 0
