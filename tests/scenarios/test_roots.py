"""Root certificates of App Service Environments: put beside the old ones, and trusted by apps wave after wave."""

from datetime import timedelta

from local.azure.down_watch import DownWatch
from shared.domain.waves import MostDown
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import CYCLED, ROOT, VAULT, Hosted

THREE = MostDown(3)
DAYS = timedelta(days=1)


def test_a_new_root_comes_beside_the_old_and_apps_trust_it(install: Install) -> None:
    """Every app that ran trusts both roots afterwards, never more were down than allowed, and the partner may move."""
    hosted = Hosted()
    installation = install(hosted.world, ase_max_unavailable=THREE)
    before, new = hosted.states(), hosted.put_new()
    with DownWatch(hosted.world) as watch:
        installation.look_at(VAULT, ROOT, kind="secret")
        installation.deliver_all()
    assert installation.errors == []
    assert hosted.roots() == {new, hosted.old.root_leaf.thumbprint}
    assert hosted.states() == before
    assert hosted.trusting(hosted.new) == CYCLED
    assert watch.most_down() == 3
    hosted.move_partner()
    assert {trouble.split(":")[0] for trouble in hosted.world.apps.troubles()} == {"spared"}
