r"""Bytes from the wire to text that never fails: UTF-8, with what is not UTF-8 kept visible.

A sensor repeats what an attacker typed. Refusing a line for one wrong byte would let the attacker
choose which lines are seen, so wrong bytes stay as `\xNN` escapes instead.
"""

from __future__ import annotations

_BOM = "\ufeff"


def decode(raw: bytes) -> str:
    r"""Return `raw` as text without a byte order mark and without trailing NUL, CR and LF.

    Bytes that are not UTF-8 become `\xNN` escapes, as the kernel's and sshd's own logs write them.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "backslashreplace")
    if text and (text[-1] < " " or text[0] == _BOM):
        return text.rstrip("\r\n\0").removeprefix(_BOM)
    return text
