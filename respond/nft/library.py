"""libnftables by ctypes: commands in, text or JSON out. There is no binding on PyPI that works.

Source: libnftables(3) of nftables 1.0.6 and `nftables/libnftables.h`. A context opens its netlink socket where it is
made, so the network namespace of the thread that makes it is the one it speaks to. Not thread-safe: one thread.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from contract.errors import PointError

_LIBRARY = "libnftables.so.1"
_JSON = 1 << 4  # NFT_CTX_OUTPUT_JSON
_CLONE_NEWNET = 0x4000_0000  # <sched.h>
_NETNS = Path("/run/netns")

_MISSING = (
    f"{_LIBRARY} cannot be loaded: install it (Debian, Ubuntu: apt install libnftables1; "
    "Fedora: dnf install nftables)"
)
_DENIED = (
    "the kernel refuses: changing nftables needs CAP_NET_ADMIN; run as root, or give the service "
    "AmbientCapabilities=CAP_NET_ADMIN"
)


class CommandError(PointError):
    """nft refused a command, and changed nothing; the text is nft's own."""


class Library:
    """One libnftables context.

    Args:
        netns: name of the network namespace to enter for good with the calling thread; empty: none.

    Raises:
        PointError: the library or the namespace is absent, or may not be entered.
    """

    def __init__(self, netns: str = "") -> None:
        if netns:
            _enter(netns)
        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise PointError(_MISSING) from error
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).restype = ctypes.c_char_p
            getattr(library, name).argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._library = library
        self._context = library.nft_ctx_new(0)
        if not self._context:
            raise PointError("libnftables gives no context: out of memory or no netlink socket")
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str, *, json: bool = False) -> str:
        """Run commands as one transaction and return what nft prints.

        Raises:
            CommandError: nft refused; nothing was changed.
            PointError: this process may not change nftables.
        """
        library, context = self._library, self._context
        library.nft_ctx_output_set_flags(context, _JSON if json else 0)
        code = library.nft_run_cmd_from_buffer(context, commands.encode())
        output: bytes = library.nft_ctx_get_output_buffer(context) or b""
        fault: bytes = library.nft_ctx_get_error_buffer(context) or b""
        if code == 0:
            return output.decode("utf-8", "replace")
        text = fault.decode("utf-8", "replace").strip() or "no reason given"
        if "Operation not permitted" in text:
            raise PointError(_DENIED)
        raise CommandError(_first_lines(text))

    def close(self) -> None:
        """Free the context; nothing may be run after."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


def _first_lines(text: str) -> str:
    """Return the error itself, without the quoted command, which may be a megabyte."""
    lines = [line for line in text.splitlines() if line.startswith("Error:")]
    return " ".join(lines[:3] or text.splitlines()[:1])[:500]


def _enter(netns: str) -> None:
    path = _NETNS / netns
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PointError(
            f"network namespace {netns!r} cannot be opened at {path}: {error.strerror}; "
            f"make it with: ip netns add {netns}"
        ) from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise PointError(
                f"network namespace {netns!r} cannot be entered: {reason}; this needs CAP_SYS_ADMIN"
            )
    finally:
        os.close(handle)
