"""The command line: python -m satcore COMMAND."""

import argparse
import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TextIO

from satcore import memory
from satcore.commands import evidence, shelf, talks, training
from satcore.commands.terminal import complain


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after one line that says what was wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no λ is no reason to stop
    options = _parser().parse_args(arguments)
    try:
        if options.shelf is not None:
            _use_shelf(options.shelf)
        status = options.command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has seen enough
        _mute_where_broken(sys.stdout)
        return 1
    except (ValueError, OSError, MemoryError) as error:
        complain(_sentence(error))
        _mute_where_broken(sys.stdout)
        return 2
    except KeyboardInterrupt:
        complain(f"interrupted; {options.interrupted}")
        return 130


def _parser() -> argparse.ArgumentParser:
    called = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(
        prog="satcore" if called.startswith("satcore") else "python -m satcore",
        description="Saturated networks on MNIST.",
    )
    parser.set_defaults(interrupted="nothing was changed")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for theme in (training, evidence, talks, shelf):  # the order of --help
        theme.add_to(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--shelf", metavar="DIR", help="your own shelf (default: $SATCORE_SHELF, or a folder among your data)"
        )
    return parser


def _use_shelf(folder: str) -> None:
    """Take `folder` for the user's own shelf, in this process and those that it starts."""
    if not folder:
        raise ValueError("expected a folder after --shelf, got none")
    os.environ["SATCORE_SHELF"] = os.path.abspath(folder)


def _sentence(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, MemoryError):
        return "expected memory enough, got none left"
    if isinstance(error, OSError) and error.strerror:
        return f"expected a file or a stream to read or write, got {error.strerror} ({error.filename or 'no file'})"
    return " ".join(str(error).splitlines())


def _mute_where_broken(stream: TextIO) -> None:
    """Send what is left in a `stream` that can't be written nowhere, or Python would stumble over it at its end."""
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def command() -> int:
    """`main` as a process of its own: `python -m satcore`, or `satcore` where it is installed."""
    memory.hold()
    return main()


if __name__ == "__main__":
    sys.exit(command())
