"""What is looked for, and when something was uploaded as Azure says it."""

from datetime import UTC, datetime

import pytest

from shared.clients.app_service import _dated
from shared.domain.lineage import Lineage
from shared.domain.names import CopyRef, Thumbprint
from shared.observe.targets import Targets
from tests.build import NEW, OLD, SUBSCRIPTION, facts, lineage, old_version, version

PUBLIC = version(facts=facts(public_policy=True))
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Plans/providers/Microsoft.Web/certificates/By%23Hand"


@pytest.mark.parametrize(
    ("lineages", "private"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([lineage()], {NEW}, id="the current version, and no older one"),
        pytest.param([lineage(version("v2", NEW), version("v1", OLD), current=1)], {OLD}, id="not what is refused"),
        pytest.param([lineage(PUBLIC, old_version())], set(), id="none of a public authority"),
        pytest.param([lineage(version(facts=None), old_version())], set(), id="none that nobody looked into"),
        pytest.param([lineage(current=None)], set(), id="no good version"),
        pytest.param([lineage(PUBLIC, old_version()), lineage()], {NEW}, id="each of several"),
    ],
)
def test_dates_may_matter_of_current_private_versions(lineages: list[Lineage], private: set[Thumbprint]) -> None:
    """Only what is current, and of no public authority, may have to be uploaded again."""
    assert Targets.of(iter(lineages)).private == private


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-09-30T23:59:59.1234567Z", datetime(2023, 9, 30, 23, 59, 59, 123456, UTC)),
        ("2023-10-01T00:00:00Z", datetime(2023, 10, 1, tzinfo=UTC)),
        ("2023-10-01T01:30:00+02:00", datetime(2023, 9, 30, 23, 30, tzinfo=UTC)),
    ],
)
def test_date_of_an_upload_is_read(text: str, moment: datetime) -> None:
    """ARM writes seven digits of a second, and perhaps another zone; it is one moment."""
    assert _dated({"id": ID, "createdTime": text}) == (CopyRef(SUBSCRIPTION, "plans", "by#hand"), moment)


@pytest.mark.parametrize("wire", [{"id": ID}, {"id": ID, "createdTime": None}, {"createdTime": "2023-10-01T00:00:00Z"}])
def test_what_has_no_date_is_left_out(wire: dict[str, object]) -> None:
    """An entry without a date, or without a name, says nothing; it hides no other."""
    with pytest.raises(ValueError, match=r"None|''"):
        _dated(wire)
