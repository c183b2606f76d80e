"""The one page that phones reach, on an address of the network, and what it can send back.

It is served beside the dashboard, in a thread of its own, and shares nothing with it but the room.
"""

import asyncio
import base64
import hashlib
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from satcore.room.state import PIXELS, NoPlaceLeft, Room

try:
    import resource
except ImportError:  # Windows, which counts no open files
    resource = None

ASKED = "SATCORE_ROOM"  # of the environment: HOST:PORT, at which the dashboard is to open a room
LONGEST = 512  # bytes of a network's name
CONNECTIONS = 400  # at a time, where as many files may be open: two a phone
AT_ONCE = 16  # connections that are accepted in one go: three goes are open before the first one's can be let go
SECONDS = 10.0  # of a connection, which asks once
NOWHERE = ("192.0.2.1", 9)  # of the addresses for documentation (RFC 5737)

LOG = logging.getLogger(__name__)
LOG.setLevel(logging.ERROR)  # what phones get wrong they are told; on the terminal it would only be in the way

HERE = Path(__file__).parent
CSS = (HERE / "phone.css").read_text(encoding="utf-8")
PAD = HERE / "pad.js"  # the field to draw on, which the dashboard has, too
JS = "".join(path.read_text(encoding="utf-8") for path in (PAD, HERE / "phone.js"))
PAGE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Draw and vote</title>
<style>{CSS}</style></head><body><main></main><script type="module">{JS}</script></body></html>"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


HEADERS = [
    ("Connection", "close"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        f"default-src 'none'; connect-src 'self'; script-src {_hash(JS)}; style-src {_hash(CSS)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
_open: list[Room] = []  # one at most


def here() -> Room | None:
    """The room, where one is open."""
    return _open[-1] if _open else None


def lan_address() -> str:
    """This machine's address on the network that leads to others, as far as it knows without asking anybody.

    Raises ValueError where it is on none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(NOWHERE)  # of datagrams: nothing is sent
        except OSError as error:
            raise ValueError("expected a network that leads to others, got none: join one, or say --address") from error
        return probe.getsockname()[0]


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on one address of this machine, and no other; port 0: a free one.

    Raises ValueError where `host` is no IPv4 address of this machine, all of them, or one of many machines (multicast,
    broadcast), and for a port that isn't free.
    """
    refusal = ValueError(f"expected one address of this machine and a port that is free, got {host}:{port}")
    try:
        own = socket.create_server((host, port), backlog=AT_ONCE)
    except (OSError, OverflowError) as error:
        raise refusal from error
    bound = ipaddress.ip_address(own.getsockname()[0])
    if bound.is_unspecified or bound.is_multicast or bound.is_reserved:  # broadcast is among those reserved
        own.close()
        raise refusal
    return own


@contextmanager
def opened(host: str, port: int) -> Iterator[Room]:
    """A room, open to phones at this address as long as the context lasts. Raises ValueError as `listening`."""
    with listening(host, port) as own:
        address, bound = own.getsockname()
        room = Room(f"http://{host}:{bound}")
        config = uvicorn.Config(
            application(room, (host, address)),
            backlog=AT_ONCE,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            headers=HEADERS,
            h11_max_incomplete_event_size=8 * 2**10,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [own]}, name="room", daemon=True)
        thread.start()
        _open.append(room)
        try:
            yield room
        finally:
            _open.remove(room)
            server.should_exit = True
            thread.join()


@contextmanager
def as_asked() -> Iterator[None]:
    """A room, where the environment asks for one under `ASKED`. Raises ValueError as `listening`."""
    asked = os.environ.get(ASKED)
    if not asked:
        yield
        return
    host, _, port = asked.rpartition(":")
    if not (port.isdecimal() and port.isascii()):
        raise ValueError(f"expected HOST:PORT in {ASKED}, got {asked!r}")
    with opened(host, int(port)):
        yield


class _Connection(H11Protocol):
    """A connection that asks once: who takes too long about it, and one too many, is let go."""

    # A server's transports are asyncio.Transport, whatever asyncio's signature says; uvicorn narrows it, too.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in."""
        super().connection_made(transport)
        self.logger = LOG  # not uvicorn's, which the dashboard's server has, too
        if len(self.connections) > _most():
            transport.abort()
        self.end = self.loop.call_later(SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of all of it, which the end that is still to come would hold."""
        self.end.cancel()
        super().connection_lost(exc)


def _most() -> int:
    """How many connections there may be: at most two fifths of the files that the dashboard's process may open."""
    if resource is None:
        return CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files * 2 // 5)


def application(room: Room, names: Sequence[str]) -> Starlette:
    """What phones reach of a `room`, and nothing else: the page, what it is to know, a drawing, a vote.

    It answers to these `names` alone. Else another site could have its own name lead here (DNS rebinding), and its
    pages would count as the room's.
    """

    async def page(_: Request) -> Response:
        return HTMLResponse(PAGE)

    async def now(request: Request) -> Response:
        return JSONResponse(room.told(_phone(request)))

    async def draw(request: Request) -> Response:
        room.draw(_phone(request), await _body(request, PIXELS, PIXELS))
        return Response(status_code=204)

    async def vote(request: Request) -> Response:
        sent = await _body(request, 1, LONGEST)
        room.vote(_phone(request), sent.decode(errors="replace"))
        return Response(status_code=204)

    application = Starlette(
        routes=[
            Route("/", page),
            Route("/now", now),
            Route("/drawing", draw, methods=["POST"]),
            Route("/vote", vote, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)],
        exception_handlers={ValueError: _refused, HTTPException: _refused, ClientDisconnect: _refused},
    )
    application.router.redirect_slashes = False
    return application


def _phone(request: Request) -> str:
    """What a phone calls itself. It says so in a header of its own, which no page of another site can send along."""
    return request.headers.get("phone", "")


async def _body(request: Request, least: int, most: int) -> bytes:
    """What is sent, where it is announced to have so many bytes; else it isn't read."""
    said = request.headers.get("content-length", "")
    if not said or "transfer-encoding" in request.headers:
        raise HTTPException(411, "expected a Content-Length, got none")
    if not least <= int(said) <= most:
        expected = f"{most}" if least == most else f"{least} to {most}"
        raise HTTPException(413 if int(said) > most else 400, f"expected {expected} bytes, got {int(said)}")
    return await request.body()


def _refused(_: Request, error: Exception) -> Response:
    """One sentence."""
    if isinstance(error, HTTPException):
        return PlainTextResponse(error.detail, error.status_code, error.headers)
    return PlainTextResponse(str(error), 403 if isinstance(error, NoPlaceLeft) else 400)
