"""The lab's log daemon: what daemons send to their `/dev/log` becomes lines in files, as rsyslog writes them.

Line form: rsyslog's default file format since Debian 12 and Ubuntu 24.04 (RSYSLOG_FileFormat), i.e. RFC 3339
time with microseconds and zone, host name, tag, message. The time is that of arrival, as rsyslog's imuxsock does.
"""

from __future__ import annotations

import argparse
import re
import selectors
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_MAX_BYTES = 65536
_HEADER = re.compile(rb"<\d{1,3}>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def line(datagram: bytes, host: str, time_ns: int) -> bytes:
    """Return the line for one datagram of glibc's syslog(3); its priority and time are not kept."""
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    header = _HEADER.match(datagram)
    text = datagram[header.end() :] if header else datagram
    text = text.rstrip(b"\n\0").replace(b"\n", b"#012")  # rsyslog's own escape of a line break
    return f"{moment.isoformat(timespec='microseconds')} {host} ".encode() + text + b"\n"


def main() -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stream", nargs="+", metavar="HOST=SOCKET=FILE")
    given = parser.parse_args()
    selector = selectors.DefaultSelector()
    for stream in given.stream:
        host, path, file = stream.split("=")
        Path(path).unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(path)
        Path(path).chmod(0o666)  # daemons write here after they have given up root
        out = Path(file).open("ab", buffering=0)  # noqa: SIM115 - open as long as the process
        selector.register(sock, selectors.EVENT_READ, (sock, host, out))
    while True:
        for key, _ in selector.select():
            ready, host, out = key.data
            out.write(line(ready.recv(_MAX_BYTES), host, time.time_ns()))


if __name__ == "__main__":
    sys.exit(main())
