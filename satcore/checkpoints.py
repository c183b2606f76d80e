"""The networks that ship, by the names that they had before there were other shelves."""

from satcore import library
from satcore.library import describe, load

__all__ = ["describe", "load", "names"]


def names() -> list[str]:
    """The names family/training of the networks that ship, in the order of the paper's Table 1."""
    return [name for name in library.names() if not name.startswith(f"{library.OWN}/")]
