"""Pickle instructions as they stream by: only harmless ones pass, and a dictionary of gigabytes comes out in entries.

Every pickle is written anew for Python's unpickler, with no instruction that an array, a plain value or an official
benchmark file does not need, bounded numbers of them, and memo places counted by us: a file can neither ask for memory
by the gigabyte, nor nest until the stack gives way, nor make dictionary keys that all collide.
"""

import re
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from typing import Final, NamedTuple

from benchharness.errors import UserError

LIMIT_STEPS: Final = 1 << 22
"""Bytes of instructions in one entry, payloads left out; the longest official one, of ImageNet16, has some 400,000."""
LIMIT_PAYLOAD: Final = 1 << 28
LIMIT_TUPLES: Final = 10_000
"""Python hashes nested tuples by recursion, without looking at the depth of its stack."""
LIMIT_DEPTH: Final = 64
_READ: Final = 1 << 20
_NAME: Final = 200
_RUN: Final = re.compile(rb"(?s:[N\x88\x89)\]}Rbsa\x93\x8f]|K.|M..|J.{4}|G.{8})*")
"""Values and what puts them together: passed on unseen wherever entries are not told apart."""
_SIZES: Final = dict.fromkeys(b"N\x88\x89)]}Rbsa\x93\x8f", 1) | {ord("K"): 2, ord("M"): 3, ord("J"): 5, ord("G"): 9}
_EFFECTS: Final = {ord("R"): -1, ord("b"): -1, ord("s"): -2, ord("a"): -1, 0x93: -1}
"""By how much they change the number of values on the stack, where not by one more."""
_INTEGERS: Final = b"KMJ"
_TEXTS: Final = {ord("U"): 1, ord("T"): 4, ord("C"): 1, ord("B"): 4, ord("X"): 4, 0x8C: 1, 0x8D: 8, 0x8E: 8, 0x8A: 1}
"""Instructions that a payload follows, and the bytes of its length."""
_LONG, _LONG_BYTES = 0x8A, 8
_MARK, _STOP, _ITEMS, _ITEM = b"(.us"


class Chunk(NamedTuple):
    """A part of a pickle, written anew as a pickle of its own."""

    content: bytes
    memo: list[int]
    """The file's own place of everything that the unpickler memoizes here, in order."""
    inside: bool
    """Whether it is a tuple that ends in key and value of an entry of the dictionary asked for."""


class Rewriter:
    """Reads the pickle in `file` once, by `whole` or by `entries`."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file, self._data, self._at, self._from = file, b"", 0, 0
        self._depth, self._height, self._count = 0, 0, 0
        self._heights: list[int] = []
        self._level, self._wanted, self._met, self._single = -1, b"", False, False
        self._begin()
        self._handlers: dict[int, Callable[[], None]] = {
            **dict.fromkeys(_TEXTS, self._text),
            **dict.fromkeys(b"\x85\x86\x87", self._tuple),
            **dict.fromkeys(b"uet\x90", self._close),
            **dict.fromkeys(b"qr\x94", self._put),
            **dict.fromkeys(b"hj", self._get),
            0x80: lambda: self._drop(2),
            0x95: lambda: self._drop(9),
            _MARK: self._open,
            ord("c"): self._name,
        }

    def whole(self) -> bytes:
        """The whole pickle, written anew; raises `UserError` where an instruction is not passed on."""
        while self._code() != _STOP:
            self._step()
        return self._flush(b"", b".").content

    def entries(self, inside: str) -> Iterator[Chunk]:
        """The pickled dictionary in parts: what comes before the entries of the one under the key `inside`, then each.

        Raises `UserError` where an instruction is not passed on, and where there is no such key, or integers are not
        the keys of what is under it.
        """
        self._level, self._wanted = 1, inside.encode()
        while (code := self._code()) != _STOP:
            if self._depth == self._level == 2:
                yield from self._inside(code)
            elif self._depth == 0 and code == _MARK:
                yield self._enter(1)
            elif self._depth == 1 and self._met and not self._single and code == _MARK:
                yield self._enter(2)
            elif self._depth == 1 and self._single and code == _ITEM:  # Python's way to write the one entry left
                yield self._flush(b"(", b"t.", inside=True)
                break
            elif self._depth == 1 and not self._single and self._ends(code):
                break
            else:
                self._step()
        if not self._met:
            raise UserError(f"it holds no dictionary with the key {inside!r}")

    def _ends(self, code: int) -> bool:
        """Whether no entry can follow; a number where a key of the outer dictionary would be begins a last one."""
        if self._met and code in _INTEGERS:
            self._single, self._level = True, 1
        return code == _ITEMS or (self._level == 2 and not self._single)

    def _inside(self, code: int) -> Iterator[Chunk]:
        if self._height == 2 and (code in _INTEGERS or code == _ITEMS):
            yield self._flush(b"(", b"t.", inside=True)
            self._height = 0
        if code != _ITEMS:
            self._step()
        elif self._height:
            raise UserError("what is in it are no entries of a dictionary")
        else:
            self._drop(1)
            self._depth, self._height = 1, 0

    def _enter(self, level: int) -> Chunk:
        """What came before an opening mark, and the mark left out; the entries that follow are told apart."""
        chunk = self._flush(b"(" * (level - 1), b"t." if level == 2 else b".")
        self._drop(1)
        self._level = self._depth = level
        self._height = 0
        return chunk

    def _begin(self) -> None:
        self._pieces: list[bytes] = []
        self._memo: list[int] = []
        self._places: dict[int, int] = {}
        self._steps = self._payload = self._tuples = 0

    def _flush(self, prefix: bytes, suffix: bytes, inside: bool = False) -> Chunk:
        """Everything since the last flush, in one frame, which the unpickler reads at one go."""
        self._cut()
        body = b"".join((prefix, *self._pieces, suffix))
        chunk = Chunk(b"\x95" + len(body).to_bytes(8, "little") + body, self._memo, inside)
        self._begin()
        return chunk

    def _cut(self, instead: bytes = b"") -> None:
        self._pieces += [self._data[self._from : self._at], instead]
        self._from = self._at

    def _drop(self, size: int, instead: bytes = b"") -> None:
        self._cut(instead)
        self._need(size)
        self._at += size
        self._from = self._at

    def _need(self, size: int) -> None:
        """Have `size` bytes to look at from where we are; raises `UserError` where the file ends before."""
        if self._at + size <= len(self._data):
            return
        self._cut()
        self._data = self._data[self._at :]
        self._at = self._from = 0
        while len(self._data) < size:
            more = self._file.read(max(_READ, size - len(self._data)))
            if not more:
                raise UserError("it ends too early")
            self._data += more

    def _code(self) -> int:
        self._need(1)
        return self._data[self._at]

    def _step(self) -> None:
        """Pass on the next instruction, or a run of harmless ones."""
        code = self._code()
        if self._depth != self._level and self._swift():
            pass
        elif code in _SIZES:
            self._plain(code)
        elif code in self._handlers:
            self._handlers[code]()
            self._steps += 1
        else:
            raise UserError(f"it uses the pickle instruction {bytes([code])!r}, which no data set needs")
        if self._steps > LIMIT_STEPS or self._payload > LIMIT_PAYLOAD or self._tuples > LIMIT_TUPLES:
            raise UserError("it would take up too much memory")

    def _plain(self, code: int) -> None:
        self._need(_SIZES[code])
        self._at += _SIZES[code]
        self._steps += _SIZES[code]
        self._height += _EFFECTS.get(code, 1)

    def _swift(self) -> bool:
        """Pass on as much as can be where entries are not told apart: `_plain`, `_text` and `_put` in one loop.

        Nine tenths of an official file are accuracies under names like "x-valid@17": an entry takes 20 ms by way of
        the methods and 6 ms here (one core of 2024, n = 20).
        """
        data, at, memo, end = self._data, self._at, self._memo, len(self._data) - 8
        start, payload = at, self._payload
        run, wide = _RUN.match, _TEXTS
        while at < end:
            at = run(data, at).end()  # type: ignore[union-attr]
            code = data[at] if at < end else 0
            if code == 0x8C or code == 0x58:
                head = 1 + wide[code]
                size = int.from_bytes(data[at + 1 : at + head], "little")
                if at + head + size > end:
                    break
                at += head + size
                self._payload += size
            elif code == 0x94:
                memo.append(self._count)
                self._count += 1
                at += 1
            elif code == 0x71 or code == 0x72:
                self._at = at
                self._put()
                at = self._at
            else:
                break
        self._at = at
        self._steps += at - start - (self._payload - payload)
        return at > start

    def _text(self) -> None:
        code, wide = self._data[self._at], _TEXTS[self._data[self._at]]
        self._need(1 + wide)
        size = int.from_bytes(self._data[self._at + 1 : self._at + 1 + wide], "little")
        self._payload += size
        if self._payload > LIMIT_PAYLOAD or (code == _LONG and size > _LONG_BYTES):
            raise UserError(f"it holds a value of {size} bytes, more than any data set needs")
        self._need(1 + wide + size)
        if self._depth == 1 and self._data[self._at + 1 + wide : self._at + 1 + wide + size] == self._wanted:
            self._met = True
        self._at += 1 + wide + size
        self._height += 1

    def _tuple(self) -> None:
        self._tuples += 1
        self._height -= self._data[self._at] - 0x85
        self._at += 1

    def _open(self) -> None:
        self._heights.append(self._height)
        self._depth += 1
        self._height = 0
        if self._depth > LIMIT_DEPTH:
            raise UserError(f"it is nested more than {LIMIT_DEPTH} deep")
        self._at += 1

    def _close(self) -> None:
        if not self._heights:
            raise UserError("it closes what it has not opened")
        is_tuple = self._data[self._at] == ord("t")
        self._tuples += is_tuple
        self._depth -= 1
        self._height = self._heights.pop() + is_tuple
        self._at += 1

    def _put(self) -> None:
        wide = {ord("q"): 1, ord("r"): 4}.get(self._data[self._at], 0)
        self._need(1 + wide)
        place = int.from_bytes(self._data[self._at + 1 : self._at + 1 + wide], "little") if wide else self._count
        if wide:
            self._places[place] = len(self._memo)
        self._memo.append(place)
        self._count += 1
        if wide:
            self._drop(1 + wide, b"\x94")
        else:
            self._at += 1

    def _get(self) -> None:
        wide = 1 if self._data[self._at] == ord("h") else 4
        self._need(1 + wide)
        place = int.from_bytes(self._data[self._at + 1 : self._at + 1 + wide], "little")
        rank = self._places.get(place, place - self._memo[0] if self._memo else -1)
        if 0 <= rank < len(self._memo) and self._memo[rank] == place:
            self._drop(1 + wide, b"j" + rank.to_bytes(4, "little"))
        else:  # of an earlier part: the unpickler asks for it by its number
            self._drop(1 + wide, b"J" + place.to_bytes(4, "little") + b"Q")
        self._height += 1

    def _name(self) -> None:
        self._at += 1
        for _ in range(2):
            while (end := self._data.find(b"\n", self._at, self._at + _NAME)) < 0:
                if len(self._data) - self._at >= _NAME:
                    raise UserError(f"it holds a name of more than {_NAME} bytes")
                self._need(len(self._data) - self._at + 1)
            self._at = end + 1
        self._height += 1
