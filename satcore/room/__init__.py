"""The room takes part: phones draw a digit and vote, on a page of their own that knows nothing of the dashboard.

It is opened for a talk, by `python -m satcore room`, and else isn't there.
"""

from satcore.room.server import ASKED as ASKED
from satcore.room.server import PAD as PAD
from satcore.room.server import as_asked as as_asked
from satcore.room.server import here as here
from satcore.room.server import lan_address as lan_address
from satcore.room.server import listening as listening
from satcore.room.server import opened as opened
from satcore.room.state import MOST as MOST
from satcore.room.state import Drawing as Drawing
from satcore.room.state import Room as Room
from satcore.room.state import Seen as Seen
