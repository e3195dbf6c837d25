"""RELP, the server's side: syslog in numbered frames, each answered when its record is durable.

Source: rsyslog "RELP - The Reliable Event Logging Protocol" (version 1, 2008-03, with the errata in librelp 1.11's
`doc/relp.html`), read 2026-11: `TXNR SP COMMAND SP DATALEN [SP DATA] LF`. No kept library for Python serves it.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError

MAX_SESSION_BYTES: Final = 32_768
"""Of what a client says of itself in `open`; librelp says some hundred bytes."""
_HEAD = re.compile(rb"(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})(?=[ \n])").match
_LONGEST_HEAD: Final = 9 + 1 + 32 + 1 + 9 + 1
_OFFERS: Final = b"relp_version=0\nrelp_software=opsonin\ncommands=syslog"
_OK: Final = b"200 OK"


class Relp:
    """Reads one client's frames.

    Args:
        max_record_bytes: longer records are cut to one byte more.
    """

    alive = b""  # the protocol has no word for it, and its clients wait
    farewell = b"0 serverclose 0\n"

    def __init__(self, max_record_bytes: int) -> None:
        self.cut = 0
        self.is_over = False
        self._bound = max_record_bytes
        self._held = bytearray()
        self._needed = 0
        self._is_open = False
        self._said = b""
        self._due: list[bytes] = []
        # Of an overlong record: its number, its beginning, and how many bytes of it are still to be passed over.
        self._long: tuple[bytes, bytes] | None = None
        self._skip = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the records of the frames that they complete.

        Raises:
            ParseError: no RELP, or a session that was not opened.
        """
        self._held += data
        records: list[bytes] = []
        # A frame in many pieces is looked at again only when it can be whole: else it would cost the square of its length.
        if len(self._held) < self._needed:
            return records
        held, at, self._needed = bytes(self._held), 0, 0
        while at < len(held) and not self.is_over:
            end = self._pass_over(held, at, records) if self._long else self._frame(held, at, records)  # fmt: skip
            if end is None:
                break
            at = end
        del self._held[:at]
        self._needed = max(0, self._needed - at)
        return records

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._held)

    def end(self) -> list[bytes]:
        """Return nothing: half a frame was never answered and comes again."""
        return []

    def replies(self) -> bytes:
        """Return the answers to `open`, and the refusals."""
        said, self._said = self._said, b""
        return said

    def receipt(self) -> bytes:
        """Return the answers that are due once the records are durable, that to `close` last."""
        due, self._due = self._due, []
        return b"".join(due)

    def _frame(self, held: bytes, at: int, records: list[bytes]) -> int | None:
        """Read one frame; return its end, None: more bytes are needed."""
        head = _HEAD(held, at)
        if head is None:
            if len(held) - at < _LONGEST_HEAD and b"\n" not in held[at:]:
                return None
            raise ParseError("no RELP frame: expected number, command and length")
        number, command, size = head[1], head[2], int(head[3])
        start = head.end() + (held[head.end()] == 32)  # noqa: PLR2004 - a blank, which some write before no data
        if size > (self._bound if command == b"syslog" else MAX_SESSION_BYTES):
            if command != b"syslog":
                raise ParseError(
                    f"RELP command with {size} bytes; the bound is {MAX_SESSION_BYTES}"
                )
            self._check_open()
            self._long, self._skip = (number, b""), size
            return start
        end = start + size
        if end >= len(held):
            self._needed = end + 1
            return None
        if held[end] != 10:  # noqa: PLR2004 - the trailer
            raise ParseError("no RELP frame: expected a line feed behind the data")
        self._obey(number, command, held[start:end], records)
        return end + 1

    def _pass_over(self, held: bytes, at: int, records: list[bytes]) -> int | None:
        """Keep of an overlong record its beginning; read over the rest and its trailer."""
        assert self._long is not None  # noqa: S101 - asked before
        number, begun = self._long
        part = held[at : at + self._skip]
        begun += part[: self._bound + 1 - len(begun)]
        self._long, self._skip = (number, begun), self._skip - len(part)
        end = at + len(part)
        if self._skip or end >= len(held):
            return end if part else None
        if held[end] != 10:  # noqa: PLR2004 - the trailer
            raise ParseError("no RELP frame: expected a line feed behind the data")
        self._long = None
        self.cut += 1
        self._obey(number, b"syslog", begun, records)
        return end + 1

    def _obey(self, number: bytes, command: bytes, data: bytes, records: list[bytes]) -> None:
        if command == b"syslog":
            self._check_open()
            if record := data.rstrip(b"\r\n\0"):
                records.append(record)
            self._due.append(_response(number, _OK))
        elif command == b"open":
            if b"syslog" not in data:
                self._said += _response(number, b"500 expected the command syslog") + self.farewell
                self.is_over = True
                return
            self._is_open = True
            self._said += _response(number, _OK + b"\n" + _OFFERS)
        elif command == b"close":
            self._due.append(_response(number, b"") + self.farewell)
            self.is_over = True
        else:
            self._said += _response(number, b"500 unknown command")

    def _check_open(self) -> None:
        if not self._is_open:
            raise ParseError("RELP records before the session was opened")


def _response(number: bytes, data: bytes) -> bytes:
    return b"%b rsp %d%b%b\n" % (number, len(data), b" " if data else b"", data)
