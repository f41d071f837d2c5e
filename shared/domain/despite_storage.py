"""Go on with other things after the storage account failed with one of them."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.domain.errors import StorageFailed

Thing = TypeVar("Thing")


def storage_failures(things: Iterable[Thing], act: Callable[[Thing], object]) -> tuple[StorageFailed, ...]:
    """Call `act` for each thing, also after the storage account failed with another one, and return the errors."""
    errors = list[StorageFailed]()
    for thing in things:
        try:
            act(thing)
        except StorageFailed as error:
            errors.append(error)
    return tuple(errors)


def despite_storage(things: Iterable[Thing], act: Callable[[Thing], object]) -> None:
    """Call `act` for each thing, also after the storage account failed with another one.

    Raise the first StorageFailed at the end.
    """
    if errors := storage_failures(things, act):
        raise errors[0]
