"""A failure of storage for one thing stops no other thing, and is raised at the end."""

import pytest

from shared.domain.despite_storage import despite_storage, storage_failures
from shared.domain.errors import StorageFailed


def test_failure_of_storage_stops_no_other_thing() -> None:
    """All things are tried, in order, and the first error is raised."""
    done = list[int]()

    def act(number: int) -> None:
        done.append(number)
        if number in {1, 2}:
            raise StorageFailed(f"{number} failed")

    with pytest.raises(StorageFailed, match="1 failed"):
        despite_storage(range(4), act)
    assert done == [0, 1, 2, 3]
    assert [str(error) for error in storage_failures(range(4), act)] == ["1 failed", "2 failed"]
    despite_storage((0, 3), act)


def test_other_errors_end_the_work_at_once() -> None:
    """An error that says nothing about one thing, such as the end of the run's time, ends the work."""
    done = list[int]()

    def act(number: int) -> None:
        done.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        despite_storage(range(4), act)
    assert done == [0]
