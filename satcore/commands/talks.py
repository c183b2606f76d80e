"""Commands for who gives a talk: the story as pictures, and a room that takes part."""

import argparse
import os
from pathlib import Path
from typing import NoReturn

from satcore.commands.terminal import Commands


def add_to(commands: Commands) -> None:
    """Add these commands, in the order in which `--help` has them."""
    _story_parser(commands)
    _room_parser(commands)


def _story_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "story",
        help="the dashboard's story as pictures",
        description="Draw the dashboard's story, a picture a scene, in a browser that Playwright leads. Nothing is "
        "overwritten.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--folder", type=Path, metavar="DIR", help="of SVGs, which isn't there yet, or is empty")
    where.add_argument("--pdf", type=Path, metavar="FILE", help="a PDF, which isn't there yet")
    parser.set_defaults(command=_story)


def _story(options: argparse.Namespace) -> int:
    from satcore.dashboard.story import export

    write, where = (export.to_pdf, options.pdf) if options.pdf else (export.to_folder, options.folder)
    for name in write(where):
        print(name, flush=True)
    print(f"the story is in {where}")
    return 0


def _room_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "room",
        help="the dashboard for a talk in which the room takes part, by phone",
        description="Serve the dashboard as `streamlit run app.py` does, on this machine alone, and beside it, to "
        "whoever reaches this machine, one page on which phones draw a digit and vote which network falls.",
    )
    parser.add_argument(
        "--address", metavar="HOST", help="of this machine, by which phones reach it (default: that on its network)"
    )
    parser.add_argument("--port", type=int, default=8600, metavar="N", help="of that page (default 8600)")
    parser.set_defaults(command=_room, interrupted="the room is closed")


def _room(options: argparse.Namespace) -> NoReturn:
    from satcore import room
    from satcore.dashboard.shared.served import serve

    if options.port == 0:  # any that is free: phones couldn't be told which
        raise ValueError("expected a port from 1 to 65535, got 0")
    host = options.address or room.lan_address()
    room.listening(host, options.port).close()  # what can't be is said before the dashboard starts
    os.environ[room.ASKED] = f"{host}:{options.port}"
    print(
        f"Whoever reaches http://{host}:{options.port} can draw 28×28 pixels there, vote, and read which networks are "
        f"on vote, up to {room.MOST} phones; the dashboard itself stays on this machine.",
        flush=True,
    )
    serve()
