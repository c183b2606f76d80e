"""What was found out about a network: kept beside it under its hash, and believed only of the very weights it was found
of.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from satcore import library
from satcore.files import read_whole, write_whole

Found = TypeVar("Found")


@dataclass(frozen=True)
class Findings(Generic[Found]):
    """Findings of one kind, a JSON file a network.

    file    what it is called
    what    it holds, in words that a network's name can follow, such as "the certificates of"
    format  of the file; what was found in another one is found anew
    most    bytes that are read
    read    what is made of the file's fields; raises ValueError, TypeError, KeyError or AttributeError where they can't
            be what was found
    """

    file: str
    what: str
    format: int
    most: int
    read: Callable[[dict[str, Any]], Found]

    def save(self, name: str, fields: dict[str, Any], *, ship: bool = False) -> None:
        """Keep `fields` of the network `name` under its hash; `ship`, for maintainers, as `library.place`."""
        content = {"format": self.format, "sha256": library.describe(name).sha256} | fields
        write_whole(library.place(name, self.file, ship=ship), json.dumps(content, ensure_ascii=False).encode() + b"\n")

    def load(self, name: str) -> Found | None:
        """What is kept of the network `name`; None where nothing is, or what was found of other weights or in another
        format. Raises ValueError where its file is damaged.
        """
        path = library.kept(name, self.file)
        if not path.exists():
            return None
        try:
            fields = json.loads(read_whole(path, self.most))
            belongs = fields.pop("format", 1), fields.pop("sha256")
            if belongs != (self.format, library.describe(name).sha256):
                return None
            return self.read(fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"expected {self.what} {name} in {path}, got a damaged file ({type(error).__name__})"
            ) from error
