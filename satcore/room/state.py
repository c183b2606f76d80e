"""What the phones of a room have sent: of each its last drawing and its last vote, until the presenter clears them."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

MOST = 200  # phones
PIXELS = 28 * 28
PHONE = re.compile("[0-9a-f]{32}")


class NoPlaceLeft(ValueError):
    """One phone too many."""


@dataclass(frozen=True)
class Drawing:
    """What a phone has drawn: `PIXELS` bytes, and its number in the order in which drawings came, from 1."""

    number: int
    pixels: bytes


@dataclass
class _Phone:
    drawing: Drawing | None = None
    vote: str = ""


@dataclass(frozen=True)
class Seen:
    """What the stage sees of a room.

    phones    how many have sent anything
    drawings  the newest first
    votes     of each network on vote, in the order of the stage
    chosen    the drawing that is on stage, even where its phone has sent another one since
    """

    phones: int
    drawings: tuple[Drawing, ...]
    votes: dict[str, int]
    chosen: Drawing | None


class Room:
    """What is asked of the phones at an `address`, and what they have sent. Threads may share it."""

    def __init__(self, address: str):
        self.address = address
        self._lock = threading.Lock()
        self._phones: dict[str, _Phone] = {}
        self._drawn = 0  # drawings so far
        self._digit: int | None = None
        self._colours: dict[str, str] = {}  # of the networks on vote
        self._chosen: Drawing | None = None

    # ---- what phones may do

    def draw(self, phone: str, pixels: bytes) -> None:
        """Take a drawing in the place of the phone's last one.

        Raises ValueError for another name than 32 hexadecimal digits, for other than `PIXELS` bytes and for an empty
        field, and where `MOST` other phones are there.
        """
        if len(pixels) != PIXELS:
            raise ValueError(f"expected a drawing of {PIXELS} bytes, got {len(pixels)}")
        if not any(pixels):
            raise ValueError("expected a drawing, got an empty field")
        with self._lock:
            place = self._place(phone)
            self._drawn += 1
            place.drawing = Drawing(self._drawn, bytes(pixels))

    def vote(self, phone: str, network: str) -> None:
        """Take a vote in the place of the phone's last one.

        Raises ValueError for a network that isn't on vote, and for a phone as `draw` does.
        """
        with self._lock:
            if network not in self._colours:
                raise ValueError(f"expected one of the {len(self._colours)} networks on vote, got another one")
            self._place(phone).vote = network

    def told(self, phone: str) -> dict:
        """What a phone's page is to know, as JSON has it: what is asked, and what came of what it has sent."""
        with self._lock:
            mine = self._phones.get(phone, _Phone())
            return {
                "digit": self._digit,
                "networks": [{"name": name, "colour": colour} for name, colour in self._colours.items()],
                "vote": mine.vote,
                "on_stage": mine.drawing is not None and mine.drawing == self._chosen,
                "full": phone not in self._phones and len(self._phones) >= MOST,
            }

    # ---- what the stage may do

    def ask(self, digit: int, colours: Mapping[str, str]) -> None:
        """Ask for drawings of a `digit`, and put the networks in `colours`, each with its own, on vote."""
        with self._lock:
            self._digit, self._colours = digit, dict(colours)
            for phone in self._phones.values():
                if phone.vote not in self._colours:
                    phone.vote = ""

    def choose(self, number: int) -> None:
        """Put the drawing of this `number` on stage; 0: none.

        One that isn't there (any more) changes nothing: its phone has sent another since it was seen.
        """
        with self._lock:
            there = {drawing.number: drawing for drawing in self._drawings()}
            self._chosen = there.get(number, self._chosen) if number else None

    def clear(self) -> None:
        """Forget all phones with what they have sent, and what of it is on stage."""
        with self._lock:
            self._phones.clear()
            self._chosen = None

    def seen(self) -> Seen:
        """What there is now."""
        with self._lock:
            votes = dict.fromkeys(self._colours, 0)
            for phone in self._phones.values():
                if phone.vote:
                    votes[phone.vote] += 1
            newest = sorted(self._drawings(), key=lambda drawing: -drawing.number)
            return Seen(len(self._phones), tuple(newest), votes, self._chosen)

    def _drawings(self) -> list[Drawing]:
        return [phone.drawing for phone in self._phones.values() if phone.drawing]

    def _place(self, phone: str) -> _Phone:
        if not PHONE.fullmatch(phone):
            raise ValueError("expected a phone's name of 32 hexadecimal digits, got another one")
        if phone not in self._phones and len(self._phones) >= MOST:
            raise NoPlaceLeft(f"expected at most {MOST} phones, got one more: there is no place left, but do watch")
        return self._phones.setdefault(phone, _Phone())
