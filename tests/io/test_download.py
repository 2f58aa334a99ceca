"""Downloads from a server that truncates, corrupts, stalls and redirects: the file in the end, or a clear error."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from benchharness.errors import UserError
from benchharness.io import download
from benchharness.runs import data_sets
from benchharness.table import Metric, load_table
from benchharness.table.build import build_table

Answer = Callable[["Server", int], None]


class Server(BaseHTTPRequestHandler):
    """Answers the n-th request as the n-th of `answers` says, and the rest as the last one does."""

    content: bytes
    answers: tuple[Answer, ...]
    ranges: list[str | None]

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("Range"))
        self.answers[min(len(self.ranges), len(self.answers)) - 1](self, len(self.ranges))

    def log_message(self, *_: object) -> None:
        pass

    def give(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def whole_file(server: Server, _: int) -> None:
    server.give(server.content)


def ranged(server: Server, _: int) -> None:
    requested = server.headers.get("Range")
    if requested is None:
        return whole_file(server, _)
    start = int(requested.removeprefix("bytes=").removesuffix("-"))
    content_range = f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
    return server.give(server.content[start:], 206, Content_Range=content_range)


def truncated(server: Server, _: int) -> None:
    server.give(server.content[: len(server.content) // 3], length=len(server.content))
    server.close_connection = True


def corrupted(server: Server, _: int) -> None:
    server.give(bytes([server.content[0] ^ 1]) + server.content[1:])


def stalled(server: Server, _: int) -> None:
    server.give(server.content[:100], length=len(server.content))
    time.sleep(1.0)
    server.close_connection = True


def dripping(server: Server, _: int) -> None:
    server.give(server.content[:10], length=len(server.content))
    for position in range(10, 40):
        server.wfile.write(server.content[position : position + 1])
        server.wfile.flush()
        time.sleep(0.05)
    server.close_connection = True


def too_much(server: Server, _: int) -> None:
    server.give(server.content + b"more" * 1000)


def unavailable(server: Server, _: int) -> None:
    server.send_error(503)


def not_found(server: Server, _: int) -> None:
    server.send_error(404)


def page(server: Server, _: int) -> None:
    server.give(b"<html>too many downloads today</html>", Content_Type="text/html; charset=utf-8")


def redirect(server: Server, count: int) -> None:
    server.send_response(302)
    server.send_header("Location", f"/elsewhere/{count}")
    server.send_header("Content-Length", "0")
    server.end_headers()


def dripping_headers(server: Server, _: int) -> None:
    """A byte of the head at a time, so that no single wait is long."""
    for position in range(60):
        server.wfile.write(
            b"HTTP/1.1 200 OK\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[position : position + 1]
        )
        server.wfile.flush()
        time.sleep(0.03)
    server.close_connection = True


def always_continuing(server: Server, _: int) -> None:
    for _ in range(40):
        server.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        server.wfile.flush()
        time.sleep(0.04)
    server.close_connection = True


def slow_after_a_good_start(server: Server, _: int) -> None:
    """On average over the whole exchange it is quick enough."""
    server.give(server.content[:-40], length=len(server.content))
    for index in range(40):
        server.wfile.write(server.content[index - 40 : len(server.content) - 39 + index])
        server.wfile.flush()
        time.sleep(0.05)


def empty_chunks(server: Server, _: int) -> None:
    """Chunk headers that grow and never bring a byte of content."""
    server.send_response(200)
    server.send_header("Transfer-Encoding", "chunked")
    server.end_headers()
    for byte in b"1;" + b"x" * 40:
        server.wfile.write(bytes([byte]))
        server.wfile.flush()
        time.sleep(0.03)
    server.close_connection = True


def unsatisfied(server: Server, _: int) -> None:
    """No range is one that this server has."""
    if server.headers.get("Range"):
        server.send_error(416)
    else:
        server.give(server.content)


def led(location: str) -> Answer:
    def answer(server: Server, _: int) -> None:
        server.send_response(302)
        server.send_header("Location", location)
        server.send_header("Content-Length", "0")
        server.end_headers()

    return answer


def false_length(server: Server, _: int) -> None:
    """A part that is not the one asked for."""
    server.give(server.content, 206, Content_Range=f"bytes 0-{len(server.content) - 1}/{len(server.content)}")


@pytest.fixture
def data(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.001)
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.5)
    return own_home / "data"


@pytest.fixture
def content(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A table in a file, which from now on is the public one called `small`."""
    about = {"name": "small", "version": "0", "source": "a test"}
    draw = np.random.default_rng(0).uniform(10, 90, (400, 6))
    ops = np.array([[row // 5**edge % 5 for edge in range(6)] for row in range(400)])
    build_table(about, ops, {Metric("cifar10", "test", 200): draw[:, 0]}).save(tmp_path / "small.npz")
    table_bytes = (tmp_path / "small.npz").read_bytes()
    public = download.Public(
        "small.npz", "", hashlib.sha256(table_bytes).hexdigest(), len(table_bytes), "https://example.org/small"
    )
    monkeypatch.setitem(download.PUBLIC, "small", public)
    return table_bytes


@pytest.fixture
def serve(content: bytes) -> Iterator[Callable[..., tuple[str, list[str | None]]]]:
    """Starts a server that answers as told; gives its URL and the list of ranges that it was asked for."""
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: Answer) -> tuple[str, list[str | None]]:
        ranges: list[str | None] = []
        kind = type("AnsweringServer", (Server,), {"content": content, "answers": answers, "ranges": ranges})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), kind))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/small", ranges

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_file_is_fetched_checked_and_installed(data: Path, serve: Any) -> None:
    url, ranges = serve(whole_file)
    (item,) = data_sets.fetch("small", url)
    assert (item.name, len(load_table("small")), ranges) == ("small", 400, [None])
    assert list((data / "downloads").glob("small.npz*")) == [data / "downloads" / "small.npz.lock"]


@pytest.mark.parametrize(
    "answers",
    [
        (truncated, ranged),
        (truncated, whole_file),
        (truncated, truncated, ranged),
        (truncated, false_length),
        (truncated, corrupted, ranged),
        (corrupted, whole_file),
        (stalled, ranged),
        (dripping, ranged),
        (too_much, whole_file),
        (unavailable, unavailable, whole_file),
        (page, whole_file),
        (redirect, redirect, whole_file),
        (redirect, truncated, redirect, ranged),
        (dripping_headers, whole_file),
        (always_continuing, whole_file),
        (empty_chunks, whole_file),
        (slow_after_a_good_start, ranged),
        (truncated, unsatisfied),
        (led("http://["), whole_file),
        (led("http://127.0.0.1:99999/x"), whole_file),
    ],
)
def test_whatever_a_server_does_first_the_file_arrives(serve: Any, answers: tuple[Answer, ...]) -> None:
    url, _ = serve(*answers)
    data_sets.fetch("small", url)
    assert [installed.problem for installed in data_sets.verify()] == [""]


def test_a_torn_download_goes_on_where_it_stopped(serve: Any, content: bytes) -> None:
    url, ranges = serve(truncated, ranged)
    data_sets.fetch("small", url)
    assert ranges == [None, f"bytes={len(content) // 3}-"]


def test_what_arrived_stays_for_the_next_command(
    data: Path, serve: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    url, ranges = serve(truncated, ranged)
    with pytest.raises(UserError, match="the same command resumes the download"):
        data_sets.fetch("small", url)
    data_sets.fetch("small", url)
    assert ranges[1] == f"bytes={len(content) // 3}-"


@pytest.mark.parametrize(
    ("answer", "reason", "count"),
    [
        (truncated, r"the connection ended after|peer closed connection|the server sends", 6),
        (corrupted, r"what arrived has sha256 \w{16}\.\.\. where it should be", 6),
        (too_much, r"the server sends more than the \d+ bytes of the file", 6),
        (unavailable, "HTTP Error 503", 6),
        (not_found, "HTTP Error 404", 1),
        (page, "the server sends a web page and not the file", 6),
        (redirect, "Exceeded maximum allowed redirects", 6),
        (dripping, r"less than 2000 bytes a second in 0\.5 s|no answer|ended after", 6),
        (dripping_headers, r"no answer in 0\.5 s", 1),
        (always_continuing, r"no answer in 0\.5 s", 1),
        (empty_chunks, r"less than 2000 bytes a second in 0\.5 s|no answer", 1),
    ],
)
def test_a_server_that_never_gives_it_is_given_up(
    data: Path, serve: Any, answer: Answer, reason: str, count: int
) -> None:
    url, ranges = serve(answer)
    with pytest.raises(UserError, match=reason) as error:
        data_sets.fetch("small", url)
    by_hand = "by hand from https://example.org/small and run `benchharness data fetch small --from PATH`"
    by_hand = f"{by_hand}, or put it into {data}"
    assert by_hand in str(error.value)
    assert len(ranges) <= 6 * (count + 1)
    assert data_sets.installed() == []


def test_nobody_there_is_given_up_at_once_too(data: Path, content: bytes) -> None:
    with pytest.raises(
        UserError, match=r"cannot download small\.npz from 127\.0\.0\.1:9 \(All connection attempts failed\)"
    ):
        data_sets.fetch("small", "http://127.0.0.1:9/small")


def test_a_server_that_has_no_range_is_asked_for_the_whole(serve: Any, content: bytes) -> None:
    url, ranges = serve(truncated, unsatisfied)
    data_sets.fetch("small", url)
    assert ranges == [None, f"bytes={len(content) // 3}-", None]


def test_a_stall_and_every_failed_attempt_are_told(
    serve: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TELL_SECONDS", 0.05)
    url, _ = serve(dripping_headers, truncated, ranged)
    data_sets.fetch("small", url)
    message = capsys.readouterr().err
    assert "small.npz: nothing arrives, 0.0 of 0.0 MB" in message
    assert "attempt 1 of 6 at small.npz: no answer in 0.5 s; again in 0 s" in message
    assert message.count("attempt") == 2


@pytest.mark.parametrize("answer", [not_found, unavailable, redirect, led("http://other.invalid/x")])
def test_no_password_is_told(serve: Any, capsys: pytest.CaptureFixture[str], answer: Answer) -> None:
    url, _ = serve(answer)
    with pytest.raises(UserError) as error:
        data_sets.fetch("small", url.replace("http://", "http://somebody:secret@"))
    assert "secret" not in f"{error.value}{capsys.readouterr()}"
    assert "somebody" not in str(error.value)
    with pytest.raises(UserError) as error:
        data_sets.fetch("small", "https://somebody:secret@127.0.0.1:x/small")
    assert "secret" not in str(error.value)


def test_a_file_that_is_here_already_is_checked(data: Path, tmp_path: Path, content: bytes) -> None:
    (item,) = data_sets.fetch("small", str(tmp_path / "small.npz"))
    assert item.source == str(tmp_path / "small.npz")
    (tmp_path / "small.npz").write_bytes(content + b"x")
    with pytest.raises(UserError, match=r"is not small\.npz: sha256 .*; `benchharness data import"):
        data_sets.fetch("small", str(tmp_path / "small.npz"))
    with pytest.raises(UserError, match="nothing is no file; give one, or a URL"):
        data_sets.fetch("small", str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "url",
    [
        *("http://", "http:", "http://[", "https://127.0.0.1:x/small", "http://127.0.0.1:99999/small"),
        *(
            "http://a..b/small",
            f"http://{'a' * 70}.invalid/small",
            "http://\u00e9..b/small",
            "http://127.0.0.1:9/\u00e9",
        ),
        *("HTTP://nowhere.invalid/small", "http://exa mple.invalid/", "http://x.invalid/\x00", "http://x@@y.invalid/"),
    ],
)
def test_what_is_no_url_is_a_clear_error(content: bytes, url: str) -> None:
    with pytest.raises(UserError) as error:
        data_sets.fetch("small", url)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("location", "is_refused"), [("http://example.org/b", True), ("/b", False), ("https://b.org", False)]
)
def test_a_place_that_leaves_encryption_is_refused(location: str, is_refused: bool) -> None:
    request = httpx.Request("GET", "https://somebody:secret@example.org/a")
    answer = httpx.Response(302, headers={"Location": location}, request=request)
    if not is_refused:
        asyncio.run(download._check_redirect(answer))
        return
    with pytest.raises(
        download._FinalError, match=r"^https://example\.org/a leads to http://example\.org/b, which is not"
    ):
        asyncio.run(download._check_redirect(answer))


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown data set to fetch 'cifar1'; did you mean 'cifar10'\?"):
        data_sets.fetch("cifar1")


def test_known_places_are_whole() -> None:
    for public in download.PUBLIC.values():
        assert len(public.sha256) == 64
        assert public.url.startswith("https://")
        assert public.bytes > 1e8
