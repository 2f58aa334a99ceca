"""Downloads public data sets with resuming, retries and deadlines, and installs them if the checksum is right.

If a server is slow, breaks off, sends something else or is gone, the error says which file to download by hand, and
which command imports it.
"""

import asyncio
import re
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import httpx
from filelock import FileLock

from benchharness.errors import UserError, unknown
from benchharness.io import catalog
from benchharness.io.catalog import Installed
from benchharness.io.files import file_sha256, path_of

ATTEMPTS: Final = 6
WAIT_SECONDS: Final = 1.0
"""Wait before the second attempt; it doubles before each further one."""
TIMEOUT_SECONDS: Final = 30.0
"""Deadline for the first byte of the file, and then for every stretch of `SLOWEST * TIMEOUT_SECONDS` bytes."""
SLOWEST: Final = 2_000
"""Bytes a second below which a download counts as stalled."""
TELL_SECONDS: Final = 5.0
"""Seconds between messages about how much has arrived."""
_FINAL: Final = (401, 403, 404, 410)
"""HTTP status codes after which no further attempt is made."""
_REDIRECTS: Final = 5
_PORTS: Final = 0xFFFF


class Public(NamedTuple):
    """A public file: its address, checksum and size."""

    file: str
    url: str
    sha256: str
    bytes: int
    page: str
    """Web page with the download."""


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
    """An attempt failed; another one may succeed."""


class _FinalError(Exception):
    """An attempt failed, and every other one would fail in the same way."""


def fetch(name: str, install: Callable[[Path], list[Installed]], origin: str = "") -> list[Installed]:
    """Download the public data set `name`, check it and `install` it; `origin` is another URL, or a local file.

    An interrupted download is resumed by the next call. Raises `UserError` if the name is unknown, if the file cannot
    be downloaded (the sentence says how to get it by hand), or if its checksum is wrong.
    """
    if name not in PUBLIC:
        raise unknown("data set to fetch", name, PUBLIC)
    public = PUBLIC[name]
    if origin and not _is_url(origin):
        return install(_checked(path_of(origin), public))
    path = catalog.data_folder() / "downloads" / public.file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock")):
            _download(public._replace(url=origin or public.url), path, f"benchharness data fetch {name} --from PATH")
            installed = install(path)
            path.unlink()
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror or error})") from None
    return installed


def _is_url(origin: str) -> bool:
    if not re.match(r"https?:", origin, re.IGNORECASE):
        return False
    try:
        url = httpx.URL(origin)
    except (httpx.InvalidURL, ValueError) as error:
        raise UserError(f"{_masked(origin)[:120]!r} is no URL ({_masked(str(error))[:120]})") from None
    if not url.host or (url.port or 0) > _PORTS:
        raise UserError(f"{_masked(origin)[:120]!r} is no URL (it names no host, or a port above {_PORTS})")
    return True


def _masked(text: str) -> str:
    """`text` without user names and passwords in addresses."""
    return re.sub(r"(?<=//)[^/?#\s]*@", "", text)


def _checked(path: Path, public: Public) -> Path:
    if not path.is_file():
        raise UserError(f"{path} is no file; give one, or a URL")
    if (sha256 := file_sha256(path)) != public.sha256:
        problem = f"{path} is not {public.file}: sha256 {sha256[:16]}... where it should be {public.sha256[:16]}..."
        raise UserError(f"{problem}; `benchharness data import {path}` takes it as what it is")
    return path


def _download(public: Public, path: Path, command: str) -> None:
    """Download the file to `path` in at most `ATTEMPTS` attempts; failed attempts are reported on stderr."""
    partial_path = path.with_name(f"{path.name}.part")
    reason = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _attempt(public, partial_path)
            partial_path.replace(path)
            return
        except _FinalError as error:
            reason = str(error)
            break
        except _BrokenError as error:
            reason = str(error)
        if attempt < ATTEMPTS:
            wait = WAIT_SECONDS * 2 ** (attempt - 1)
            _say(f"attempt {attempt} of {ATTEMPTS} at {public.file}: {reason[:160]}; again in {wait:.0f} s")
            time.sleep(wait)
    problem = f"cannot download {public.file} from {httpx.URL(public.url).netloc.decode()} ({reason[:160]})"
    by_hand = f"download it by hand from {public.page} and run `{command}`, or put it into {catalog.data_folder()}"
    raise UserError(f"{problem}; the same command resumes the download; or {by_hand}")


def _attempt(public: Public, partial_path: Path) -> None:
    if not partial_path.exists() or partial_path.stat().st_size < public.bytes:
        try:
            asyncio.run(_exchange(public, partial_path))
        except (
            httpx.InvalidURL,
            httpx.UnsupportedProtocol,
            UnicodeError,
            ImportError,
        ) as error:  # or a bad proxy
            raise _FinalError(_masked(str(error))) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _BrokenError(_masked(str(error)) or type(error).__name__) from None
    bytes_there = partial_path.stat().st_size
    if bytes_there < public.bytes:
        raise _BrokenError(f"the connection ended after {bytes_there} of {public.bytes} bytes")
    if (sha256 := file_sha256(partial_path)) != public.sha256:
        partial_path.unlink()
        raise _BrokenError(f"what arrived has sha256 {sha256[:16]}... where it should be {public.sha256[:16]}...")


async def _exchange(public: Public, partial_path: Path) -> None:
    """Request the bytes that `part` lacks, once, and append them; deadlines hold whatever the server does."""
    bytes_there = partial_path.stat().st_size if partial_path.exists() else 0
    headers = {"User-Agent": "benchharness", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={bytes_there}-"} if bytes_there else {}
    telling = asyncio.create_task(_tell(public, partial_path))
    try:
        async with httpx.AsyncClient(
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            timeout=TIMEOUT_SECONDS,
            verify=ssl.create_default_context(),
            event_hooks={"response": [_check_redirect]},
        ) as client:
            async with _deadline("no answer"):
                answer = await client.send(client.build_request("GET", public.url, headers=headers), stream=True)
            try:
                begin = _begin(answer, partial_path, bytes_there)
                with partial_path.open("r+b" if begin else "wb") as file:
                    file.seek(begin)
                    file.truncate()
                    await _receive(answer, file, public.bytes)
            finally:
                await answer.aclose()
    finally:
        telling.cancel()


async def _receive(answer: httpx.Response, file: BinaryIO, most: int) -> None:
    """Write the answer to `file`; raises `_BrokenError` when less than `SLOWEST` bytes a second arrive."""
    async with _deadline(f"less than {SLOWEST} bytes a second") as deadline:
        bytes_received = 0
        async for chunk in answer.aiter_raw():
            if file.tell() + len(chunk) > most:
                file.truncate(0)
                raise _BrokenError(f"the server sends more than the {most} bytes of the file")
            file.write(chunk)
            bytes_received += len(chunk)
            if bytes_received >= SLOWEST * TIMEOUT_SECONDS:
                bytes_received = 0
                deadline.reschedule(asyncio.get_running_loop().time() + TIMEOUT_SECONDS)


@asynccontextmanager
async def _deadline(problem: str) -> AsyncIterator[asyncio.Timeout]:
    """A `with` block that fails after `TIMEOUT_SECONDS`."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS) as deadline:
            yield deadline
    except TimeoutError:
        raise _BrokenError(f"{problem} in {TIMEOUT_SECONDS:g} s") from None


async def _tell(public: Public, partial_path: Path) -> None:
    """Report on stderr every few seconds how much has arrived."""
    last = -1
    while True:
        await asyncio.sleep(TELL_SECONDS)
        bytes_there = partial_path.stat().st_size if partial_path.exists() else 0
        state = "nothing arrives" if bytes_there == last else "fetching"
        _say(f"{public.file}: {state}, {bytes_there / 1e6:.1f} of {public.bytes / 1e6:.1f} MB")
        last = bytes_there


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def _check_redirect(answer: httpx.Response) -> None:
    """Refuse a redirect from https to http, or to an impossible port."""
    if not answer.has_redirect_location:
        return
    try:
        target = answer.url.join(answer.headers["Location"])
    except (httpx.InvalidURL, ValueError):
        return  # httpx itself refuses it
    addresses = _masked(f"{answer.url} leads to {target}")[:200]
    if answer.url.scheme == "https" and target.scheme != "https":
        raise _FinalError(f"{addresses}, which is not encrypted")
    if (target.port or 0) > _PORTS:
        raise _BrokenError(f"{addresses}, which is nowhere")


def _begin(answer: httpx.Response, partial_path: Path, bytes_there: int) -> int:
    """Offset in the file at which the answer begins: where we stopped, or 0 if the server cannot resume."""
    if answer.status_code == 416 and bytes_there:
        partial_path.unlink()
        raise _BrokenError(f"the server does not go on from byte {bytes_there} (HTTP Error 416), so from the start")
    if answer.status_code >= 400:
        kind = _FinalError if answer.status_code in _FINAL else _BrokenError
        raise kind(f"HTTP Error {answer.status_code}: {answer.reason_phrase}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise _BrokenError("the server sends a web page and not the file")
    content_range = answer.headers.get("Content-Range", "")
    return bytes_there if answer.status_code == 206 and content_range.startswith(f"bytes {bytes_there}-") else 0
