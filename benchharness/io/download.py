"""Downloads of what is public: resumed, retried, bounded, and installed only with the checksum that is known.

Nothing is known of a server but that it may be slow, break off, lie or be gone; then the error says what to download by
hand, and where to put it.
"""

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from filelock import FileLock

from benchharness.errors import UserError, unknown
from benchharness.io import catalog
from benchharness.io.catalog import Installed
from benchharness.io.progress import shown

ATTEMPTS: Final = 6
WAIT_SECONDS: Final = 1.0
"""Before the second attempt; twice as long before each further one."""
TIMEOUT_SECONDS: Final = 30.0
"""Without a byte, after which an attempt is given up."""
SLOWEST: Final = 2_000
"""Bytes a second below which a server counts as stalled, after the same time."""
_PIECE: Final = 1 << 18


class Public(NamedTuple):
    """A public file: where it is, and what makes it that file."""

    file: str
    url: str
    sha256: str
    bytes: int
    page: str
    """Where people find it."""


PUBLIC: Final = {
    # The topology benchmark in its small form: 15,625 files, of which nothing is left out that a table needs. Its
    # authors publish no checksum but the five digits in its name; this one and the size are stated alike by two public
    # projects that download it (ExpGym's scripts/download_data.py, and an HPOBench port), from the authors' own link
    # in the README of D-X-Y/NATS-Bench. The importer checks all optima besides.
    "nas-bench-201": Public(
        "NATS-tss-v1_0-3ffb9-simple.tar",
        "https://drive.usercontent.google.com/download?id=17_saCsj_krKjlCBLOJEpNtzPXArMCqxU&export=download&confirm=t",
        "580fd8f3425fed9f495640b0f12ccb7744f89dec7aff263bd75aed37ab0b8bb6",
        1_145_989_120,
        "https://github.com/D-X-Y/NATS-Bench",
    ),
    # Both as keras.datasets states them (cifar10.py and cifar100.py, `file_hash`).
    "cifar10": Public(
        "cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        170_498_071,
        "https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "cifar100": Public(
        "cifar-100-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        169_001_437,
        "https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
}


class _BrokenError(Exception):
    """An attempt that failed in a way the next one may not."""


def fetch(name: str, install: Callable[[Path], list[Installed]], origin: str = "") -> list[Installed]:
    """Download the public data set `name`, check and `install` it; `origin` is another URL, or a file that is here.

    What arrived stays when a download breaks off, and the next one goes on from there. Raises `UserError` for an
    unknown name, where the file cannot be had, which says how to get it by hand, and where it is not the known one.
    """
    if name not in PUBLIC:
        raise unknown("data set to fetch", name, PUBLIC)
    public = PUBLIC[name]
    if origin and not _is_url(origin):
        return install(_checked(Path(origin).expanduser(), public))
    place = catalog.data_folder() / "downloads" / public.file
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f"{place.name}.lock")):
            _download(public._replace(url=origin or public.url), place, f"benchharness data fetch {name} --from PATH")
            found = install(place)
            place.unlink()
    except OSError as error:
        raise UserError(f"cannot write {place} ({error.strerror or error})") from None
    return found


def _is_url(origin: str) -> bool:
    try:
        return urlsplit(origin).scheme in ("http", "https") and bool(urlsplit(origin).port or True)
    except ValueError as error:
        raise UserError(f"{origin[:120]!r} is no URL ({error})") from None


def _checked(path: Path, public: Public) -> Path:
    if not path.is_file():
        raise UserError(f"{path} is no file; give one, or a URL")
    if (found := _sha256(path)) != public.sha256:
        told = f"{path} is not {public.file}: sha256 {found[:16]}... where it should be {public.sha256[:16]}..."
        raise UserError(f"{told}; `benchharness data import {path}` takes it as what it is")
    return path


def _download(public: Public, place: Path, command: str) -> None:
    """Have the file at `place`, in as many attempts as are allowed."""
    part = place.with_name(f"{place.name}.part")
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(WAIT_SECONDS * 2 ** (attempt - 1))
        try:
            _attempt(public, part)
            part.replace(place)
            return
        except (_BrokenError, urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                break
    told = f"cannot download {public.file} from {urlsplit(public.url).netloc} ({reason[:160]})"
    by_hand = f"download it by hand from {public.page} and run `{command}`, or put it into {catalog.data_folder()}"
    raise UserError(f"{told}; the same command goes on from what arrived; or {by_hand}")


def _attempt(public: Public, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have < public.bytes:
        with _opened(public.url, have) as answer:
            begin = _begin(answer, have)
            with part.open("r+b" if begin else "wb") as file:
                file.seek(begin)
                file.truncate()
                for piece in shown(_pieces(answer), public.bytes - begin, f"fetching {public.file}", sizes=True):
                    if file.tell() + len(piece) > public.bytes:
                        file.truncate(0)
                        raise _BrokenError(f"the server sends more than the {public.bytes} bytes of the file")
                    file.write(piece)
    have = part.stat().st_size
    if have < public.bytes:
        raise _BrokenError(f"the connection ended after {have} of {public.bytes} bytes")
    if (found := _sha256(part)) != public.sha256:
        part.unlink()
        raise _BrokenError(f"what arrived has sha256 {found[:16]}... where it should be {public.sha256[:16]}...")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """At most a few, and none that leads from an encrypted place to an open one."""

    max_redirections = 5

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme not in ("https", urlsplit(req.full_url).scheme):
            raise UserError(f"{req.full_url} leads to {newurl[:120]}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opened(url: str, have: int) -> HTTPResponse:
    headers = {"User-Agent": "benchharness", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={have}-"} if have else {}
    opener = urllib.request.build_opener(_Redirects)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)


def _begin(answer: HTTPResponse, have: int) -> int:
    """Where in the file the answer begins: where we stopped, or at its start if the server cannot go on from there."""
    if answer.headers.get_content_type() == "text/html":
        raise _BrokenError("the server sends a web page and not the file")
    told = answer.headers.get("Content-Range", "")
    return have if answer.status == 206 and told.startswith(f"bytes {have}-") else 0


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """What arrives; a server that sends next to nothing is as good as one that sends nothing."""
    started, arrived = time.monotonic(), 0
    while piece := answer.read1(_PIECE):
        arrived += len(piece)
        yield piece
        seconds = time.monotonic() - started
        if seconds > TIMEOUT_SECONDS and arrived < SLOWEST * seconds:
            raise _BrokenError(f"{arrived} bytes in {seconds:.0f} s")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
