"""The floor under `bench/loop.py`: the least that can turn an EVE alert into a firewall element, and no more.

A bare script: it listens where Suricata writes EVE, decodes each line, and adds the source of every alert with
the given signature to an nft set by libnftables in its own process. No rules, no chain, no guard, no expiry kept,
no read-back. What the engine needs beyond this is the price of the engine. Run in the router's namespace.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import socket
import sys
from pathlib import Path

TABLE = """
table inet floor
delete table inet floor
table inet floor {
	set blocked { type ipv4_addr; flags timeout; }
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		ip saddr @blocked drop
	}
}
"""


class Nft:
    """libnftables, one context, text commands (libnftables(3))."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL("libnftables.so.1")
        self._lib.nft_ctx_new.restype = ctypes.c_void_p
        self._lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self._context = ctypes.c_void_p(self._lib.nft_ctx_new(0))
        self._lib.nft_ctx_buffer_error(self._context)

    def run(self, command: str) -> None:
        """Run one transaction.

        Raises:
            OSError: nft refused it; the text is nft's.
        """
        if self._lib.nft_run_cmd_from_buffer(self._context, command.encode()):
            raise OSError(self._lib.nft_ctx_get_error_buffer(self._context).decode())


def serve(path: Path, signature: int) -> None:
    """Block the source of every such alert, until Suricata closes the stream."""
    nft = Nft()
    nft.run(TABLE)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)
        stream, _ = listener.accept()
        with stream, stream.makefile("rb") as lines:
            for line in lines:
                event = json.loads(line)
                alert = event.get("alert")
                if alert and alert["signature_id"] == signature:
                    nft.run(f"add element inet floor blocked {{ {event['src_ip']} timeout 60s }}")


def main() -> int:
    """Serve one stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", type=Path, help="where Suricata's EVE stream connects")
    parser.add_argument("--signature", type=int, default=9000001)
    given = parser.parse_args()
    serve(given.socket, given.signature)
    return 0


if __name__ == "__main__":
    sys.exit(main())
