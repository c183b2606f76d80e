"""What reaches a room from the network, and what doesn't: asked of a real server."""

import asyncio
import contextlib
import errno
import gc
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import uvicorn
from uvicorn.server import ServerState

from satcore import room
from satcore.__main__ import main
from satcore.dashboard.shared import served
from satcore.room import MOST, Room, server

ROOT = Path(__file__).parent.parent.parent
PHONE = "0123456789abcdef" * 2
DRAWING = bytes([200]) * 784
NETWORK = "sigmoid-mlp/vanilla"
PATIENCE = 60.0  # seconds: a machine may be busy


@pytest.fixture
def there(monkeypatch) -> Iterator[Room]:
    monkeypatch.setattr(server, "SECONDS", PATIENCE)
    with room.opened("127.0.0.1", 0) as there:
        there.ask(3, {NETWORK: "#3B8BD4"})
        yield there


def place(there: Room) -> tuple[str, int]:
    parts = urlsplit(there.address)
    return str(parts.hostname), int(parts.port or 0)


def asked(there: Room, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*place(there), timeout=PATIENCE)
    connection.request(method, path, body, {"Phone": PHONE} | headers)
    response = connection.getresponse()
    return response.status, response.read()


def said(there: Room, raw: bytes) -> bytes:
    """The whole answer to exactly these bytes, after which nothing is sent."""
    with socket.create_connection(place(there), timeout=PATIENCE) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def let_go(connection: socket.socket) -> bool:
    """Whether the other side ends the connection without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_drawing_and_a_vote_arrive_and_the_last_ones_count(there):
    for grey in (1, 2):
        assert asked(there, "POST", "/drawing", bytes([grey]) * 784) == (204, b"")
    assert asked(there, "POST", "/vote", NETWORK.encode()) == (204, b"")
    seen = there.seen()
    assert [one.pixels for one in seen.drawings] == [bytes([2]) * 784] and seen.votes == {NETWORK: 1}
    status, told = asked(there, "GET", "/now")
    assert status == 200 and json.loads(told) == there.told(PHONE)
    assert json.loads(told)["vote"] == NETWORK and json.loads(told)["digit"] == 3


def test_the_page_holds_all_it_needs_and_may_ask_nobody_else(there):
    connection = http.client.HTTPConnection(*place(there), timeout=PATIENCE)
    connection.request("GET", "/")
    response = connection.getresponse()
    page = response.read().decode()
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert not any(leads in page for leads in ("src=", "href=", "url(", "@import", "import(", "://", "cookie"))
    assert not {"set-cookie", "access-control-allow-origin", "server"} & {name.lower() for name in response.headers}


def test_nothing_else_can_be_done(there):
    for path, only in {"/": "GET", "/now": "GET", "/drawing": "POST", "/vote": "POST"}.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} - {only}:
            assert asked(there, method, path, DRAWING)[0] == 405, (method, path)
    assert there.seen().phones == 0


def test_nothing_of_the_dashboard_is_there(there):
    streamlits = [f"/_stcore/{path}" for path in ("health", "stream", "host-config", "upload_file/a/b")]
    pages = ["/live_attack", "/static/index.html", "/media/x"]
    files = ["/app.py", "/../app.py", "/%2e%2e/app.py", "/phone.js", f"/{ROOT}/app.py"]
    for path in (*streamlits, *pages, *files, "/..", "//", "/now/", "/drawing/1"):
        for method in ("GET", "POST"):
            assert asked(there, method, path) == (404, b"Not Found"), path


def announced(path: str, length: object, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Phone: {PHONE}", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/drawing", 10**15, 413),
        ("/drawing", 785, 413),
        ("/drawing", 783, 400),
        ("/drawing", 0, 400),
        ("/vote", 10**15, 413),
        ("/vote", 513, 413),
        ("/vote", 0, 400),
        ("/drawing", -1, 400),
        ("/drawing", "9" * 5_000, 400),
        ("/drawing", "784, 785", 400),
        ("/drawing", "seven", 400),
    ],
)
def test_a_wrong_length_is_refused_before_anything_of_it_is_sent(there, path, length, status):
    assert said(there, announced(path, length)).startswith(f"HTTP/1.1 {status} ".encode())
    assert there.seen().phones == 0


def test_what_does_not_say_how_long_it_is_is_refused(there):
    chunked = (
        f"POST /drawing HTTP/1.1\r\nHost: 127.0.0.1\r\nPhone: {PHONE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    assert said(there, chunked).startswith(b"HTTP/1.1 411 ")
    assert said(there, announced("/drawing", 784, "Transfer-Encoding: chunked")).startswith(b"HTTP/1.1 4")
    assert there.seen().phones == 0


@pytest.mark.parametrize(
    "raw", [b"\xff" * 1_000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 100_000, b"\r\n" * 50_000]
)
def test_what_means_nothing_does_no_harm(there, raw):
    with contextlib.closing(socket.create_connection(place(there), timeout=PATIENCE)) as connection:
        connection.sendall(raw)
    assert asked(there, "GET", "/now")[0] == 200


def test_what_is_not_asked_for_is_refused_in_one_sentence_that_repeats_nothing(there):
    for path, body, phone in (
        ("/vote", b"<script>relu", PHONE),
        ("/vote", b"\xff\xfe", PHONE),
        ("/drawing", bytes(784), PHONE),
        ("/drawing", DRAWING, "<script>"),
        ("/drawing", DRAWING, ""),
    ):
        status, why = asked(there, "POST", path, body, Phone=phone)
        assert status == 400 and why.startswith(b"expected ") and b"\n" not in why and b"script" not in why
    assert there.seen().phones == 0


def test_a_page_of_another_site_cannot_send_anything(there):
    """It can't say which phone it is without asking first whether it may, which nobody grants."""
    connection = http.client.HTTPConnection(*place(there), timeout=PATIENCE)
    connection.request("POST", "/vote", NETWORK.encode(), {"Origin": "http://elsewhere.example"})
    assert connection.getresponse().status == 400
    asks = {"Origin": "http://elsewhere.example", "Access-Control-Request-Headers": "phone"}
    assert asked(there, "OPTIONS", "/vote", **asks)[0] == 405
    assert there.seen().phones == 0


@pytest.mark.parametrize("name", ["elsewhere.example", "elsewhere.example:80", "127.0.0.1.elsewhere.example", ""])
def test_another_sites_name_does_not_lead_here(there, name):
    for method, path, body in (("GET", "/", None), ("GET", "/now", None), ("POST", "/vote", NETWORK.encode())):
        assert asked(there, method, path, body, Host=name)[0] == 400
    assert there.seen().phones == 0


def test_it_answers_to_the_name_it_was_given_and_to_its_address():
    with room.opened("localhost", 0) as there:
        for name in ("localhost", "127.0.0.1"):
            assert asked(there, "GET", "/now", Host=name)[0] == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /now HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /now HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
        b"\xff\r\n\r\n",
        b"POST /drawing HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
    ],
)
def test_what_phones_get_wrong_is_not_said_on_the_presenters_terminal(there, caplog, raw):
    assert said(there, raw).startswith(b"HTTP/1.1 ")
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def test_one_phone_too_many_is_told_so(there):
    for k in range(MOST):
        there.draw(f"{k:032x}", DRAWING)
    status, why = asked(there, "POST", "/drawing", DRAWING)
    assert status == 403 and why.decode().startswith(f"expected at most {MOST} phones, got one more")
    assert json.loads(asked(there, "GET", "/now")[1])["full"] and f"The room is full: {MOST} phones" in server.PAGE


def test_who_takes_too_long_is_let_go(there, monkeypatch):
    monkeypatch.setattr(server, "SECONDS", 0.2)
    for begun in (b"", b"GET / HTTP/1.1\r\n", announced("/drawing", 784) + b"half of it"):
        with socket.create_connection(place(there), timeout=PATIENCE) as connection:
            with contextlib.suppress(ConnectionError):  # it may be over already
                connection.sendall(begun)
            assert let_go(connection)
    assert there.seen().phones == 0


def test_one_connection_too_many_is_let_go_and_the_others_go_on(there, monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    idle = [socket.create_connection(place(there), timeout=PATIENCE) for _ in range(3)]
    with socket.create_connection(place(there), timeout=PATIENCE) as one_more:
        assert let_go(one_more)
    idle[0].sendall(b"GET /now HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert idle[0].recv(100).startswith(b"HTTP/1.1 200 ")
    for connection in idle:
        connection.close()


def test_connections_leave_the_dashboard_files_to_open_where_few_may_be():
    opens = """
import os, resource, select, sys
from satcore import room
resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with room.opened("127.0.0.1", 0) as there:
    print(there.address, flush=True)
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        open(os.devnull).close()
"""
    pipe, waits = subprocess.PIPE, announced("/drawing", 784, "Expect: 100-continue")
    with (
        subprocess.Popen([sys.executable, "-c", opens], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process,
        contextlib.ExitStack() as held,
    ):
        assert process.stdout
        there = Room(process.stdout.readline().decode().strip())
        taken = 0
        for _ in range(140):
            connection = held.enter_context(socket.create_connection(place(there), timeout=PATIENCE))
            with contextlib.suppress(ConnectionError):  # it may be over already
                connection.sendall(waits)
            taken += not let_go(connection)
        burst = [held.enter_context(socket.socket()) for _ in range(140)]
        for connection in burst:
            connection.setblocking(False)
            connection.connect_ex(place(there))
        burst[0].settimeout(PATIENCE)
        assert let_go(burst[0])
        held.close()
        _, why = process.communicate(b"that's all", timeout=PATIENCE)
    assert taken == 51 and process.returncode == 0 and os.strerror(errno.EMFILE).encode() not in why


def test_what_has_ended_is_not_held_until_its_time_is_up():
    def made() -> server._Connection:
        return server._Connection(uvicorn.Config(server.application(Room(""), ())), ServerState(), {})

    async def ended() -> weakref.ref:
        one, other = socket.socketpair()
        with other:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(made, one)
            transport.abort()
            for _ in range(3):  # turns of the loop
                await asyncio.sleep(0)
        return weakref.ref(transport)

    async def held() -> bool:
        transport = await ended()
        gc.collect()
        return transport() is not None

    with ThreadPoolExecutor(1) as elsewhere:  # a browser's loop may be running here
        assert not elsewhere.submit(asyncio.run, held()).result()


def test_it_listens_on_its_own_address_alone_until_it_is_closed():
    before = {connection.laddr for connection in psutil.Process().net_connections("inet")}
    with room.opened("127.0.0.1", 0) as there:
        assert room.here() is there
        now = [connection.laddr for connection in psutil.Process().net_connections("inet")]
        assert [tuple(address) for address in now if address not in before] == [place(there)]
    assert room.here() is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place(there), timeout=PATIENCE)


@pytest.mark.parametrize(
    "host, port",
    [
        ("0.0.0.0", 0),
        ("192.0.2.77", 0),
        ("nowhere.invalid", 0),
        ("127.0.0.1", 99_999),
        ("224.0.0.1", 0),
        ("255.255.255.255", 0),
    ],
)
def test_where_it_cannot_be_is_one_sentence(host, port):
    with pytest.raises(ValueError, match=rf"^expected one address of this machine and a port .* got {host}:{port}$"):
        room.listening(host, port)


def test_a_port_that_is_taken_is_one_sentence(there):
    with pytest.raises(ValueError, match=r"^expected one address of this machine and a port that is free, got "):
        room.listening(*place(there))


def test_it_is_there_only_where_it_was_asked_for(monkeypatch):
    assert f"`{room.ASKED}=HOST:PORT`" in (ROOT / "docs" / "security.md").read_text()
    monkeypatch.delenv(room.ASKED, raising=False)
    with room.as_asked():
        assert room.here() is None
    monkeypatch.setenv(room.ASKED, "127.0.0.1:0")
    with room.as_asked():
        assert room.here() is not None
    for asked_so in ("127.0.0.1", "127.0.0.1:x", ":²"):
        monkeypatch.setenv(room.ASKED, asked_so)
        with pytest.raises(ValueError, match=r"^expected HOST:PORT in SATCORE_ROOM, got "), room.as_asked():
            pass


def test_its_address_is_that_on_the_network_and_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(server, "NOWHERE", ("127.0.0.1", 9))
    assert room.lan_address() == "127.0.0.1"
    monkeypatch.setattr(server, "NOWHERE", ("255.255.255.255", 9))  # which a socket may not reach just so
    with pytest.raises(ValueError, match=r"^expected a network that leads to others, got none"):
        room.lan_address()


# ---- the command


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def answered(address: str, process: subprocess.Popen) -> bytes:
    """What the address answers, as soon as it does."""
    for _ in range(600):
        assert process.poll() is None, f"expected it to go on, but it ended with {process.returncode}"
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                return answer.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"expected {address} to answer within a minute, got nothing")


@pytest.mark.parametrize("where", [["--address", "0.0.0.0"], ["--address", "127.0.0.1", "--port", "99999"]])
def test_the_command_says_at_once_where_it_cannot_open_one(where, monkeypatch, capsys):
    monkeypatch.delenv(room.ASKED, raising=False)
    assert main(["room", *where]) == 2 and room.ASKED not in os.environ
    found = capsys.readouterr()
    assert found.out == "" and found.err.startswith("satcore: expected one address of this machine and a port")


def test_the_command_refuses_a_port_of_which_phones_could_not_be_told(monkeypatch, capsys):
    monkeypatch.delenv(room.ASKED, raising=False)
    monkeypatch.setattr(served, "serve", lambda: None)
    assert main(["room", "--address", "127.0.0.1", "--port", "0"]) == 2 and room.ASKED not in os.environ
    assert capsys.readouterr() == ("", "satcore: expected a port from 1 to 65535, got 0\n")


@pytest.mark.slow
def test_the_command_opens_a_room_beside_a_dashboard_that_stays_where_it_was():
    port, own = free_port(), free_port()
    command = [sys.executable, "-m", "satcore", "room", "--address", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"STREAMLIT_SERVER_PORT": str(own), "STREAMLIT_SERVER_ADDRESS": "0.0.0.0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        assert answered(f"http://127.0.0.1:{own}/_stcore/health", process) == b"ok"
        assert answered(f"http://127.0.0.1:{port}", process) == server.PAGE.encode()
        listens = [one for one in psutil.Process(process.pid).net_connections() if one.status == "LISTEN"]
        assert {tuple(one.laddr) for one in listens} == {("127.0.0.1", own), ("127.0.0.1", port)}
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and err.endswith("satcore: interrupted; the room is closed\n")
    first, *_ = out.splitlines()
    assert f"http://127.0.0.1:{port}" in first and f"up to {MOST} phones" in first and "stays on this machine" in first
