"""Linux IMA measurement lists: entries, their template hashes, and the binary form; the ASCII form is in `ima_text`.

Source: Linux 6.10 Documentation/security/IMA-templates.rst, security/integrity/ima/ima_fs.c, ima_template.c,
ima_template_lib.c; read 2026-11. Integers are little-endian (`ima_canonical_fmt` and most machines), or the machine's own.
The template hash of a list is SHA-1 of the template's data, save for lists of another bank; a hash of zeros
marks a violation: the file was open for writing while measured, so its digest means nothing, and the PCR was
extended with ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from contract.errors import ParseError
from ingest.formats.binary_reader import BinaryReader
from ingest.formats.tpm_algorithms import SIZES, digest

MAX_NAME: Final = 64
MAX_DATA: Final = 1_048_576
"""Bytes of one entry; a certificate or policy in an `ima-buf` entry has a few kilobytes."""
IMA_NAME_BYTES: Final = (
    256  # IMA_EVENT_NAME_LEN_MAX + 1, the fixed size of the `ima` template's name
)

TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "ima": ("d", "n"),
    "ima-ng": ("d-ng", "n-ng"),
    "ima-ngv2": ("d-ngv2", "n-ng"),
    "ima-sig": ("d-ng", "n-ng", "sig"),
    "ima-sigv2": ("d-ngv2", "n-ng", "sig"),
    "ima-buf": ("d-ng", "n-ng", "buf"),
    "ima-modsig": ("d-ng", "n-ng", "sig", "d-modsig", "modsig"),
    "evm-sig": ("d-ng", "n-ng", "evmsig", "xattrnames", "xattrlengths", "xattrvalues", "iuid", "igid", "imode"),
}  # fmt: skip
_KNOWN_FIELDS: Final = frozenset(part for parts in TEMPLATES.values() for part in parts)
_HASH_BY_SIZE: Final = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
_BANKS_BY_SIZE: Final = {
    size: tuple(name for name, own in SIZES.items() if own == size and not name.startswith("sha3_"))
    for size in SIZES.values()
}
LARGEST_PCR: Final = 23
_NUMBERS: Final = frozenset(("iuid", "igid", "imode"))
AS_TEXT: Final = _NUMBERS | {"d-modsig", "xattrnames"}


@dataclass(slots=True)
class ImaEntry:
    """One measurement.

    Attributes:
        pcr: index of the PCR that was extended.
        template_hash: as the list states it.
        template: name of the template.
        algorithm: of the file's digest.
        digest: of the file (or buffer).
        path: of the file; the label of a buffer (`.ima`, `kexec-cmdline`).
        signature: appraisal signature, or empty.
        buffer: what an `ima-buf` entry measured.
        data: the template's data as they were hashed; empty where they cannot be rebuilt.
        others: other fields of the template, in hexadecimal.
    """

    pcr: int
    template_hash: bytes
    template: str
    algorithm: str = "sha1"
    digest: bytes = b""
    path: str = ""
    signature: bytes = b""
    buffer: bytes = b""
    data: bytes = b""
    others: dict[str, str] = field(default_factory=dict)

    @property
    def is_violation(self) -> bool:
        """Tell whether the entry stands for a measurement that could not be trusted."""
        return not any(self.template_hash)

    def is_consistent(self) -> bool | None:
        """Tell whether the template hash is that of the data; None: it cannot be told."""
        if self.is_violation or not self.data:
            return None
        # A list of another bank has that bank's hash; two algorithms have 32 bytes.
        known = True
        for name in _BANKS_BY_SIZE.get(len(self.template_hash), ()):
            value = digest(name, self.data)
            if value == self.template_hash:
                return True
            known = known and value is not None
        return False if known else None

    def extension(self, bank: str) -> bytes | None:
        """Return what the entry extends into a bank's PCR; None: it cannot be told."""
        if self.is_violation:
            return b"\xff" * SIZES[bank]
        if bank == _HASH_BY_SIZE.get(len(self.template_hash)):
            return self.template_hash
        return digest(bank, self.data) if self.data else None


def fields_of(template: str) -> tuple[str, ...]:
    """Return the fields of a template, or of a format that stands for one.

    Raises:
        ParseError: a field that is not known.
    """
    known = TEMPLATES.get(template)
    if known is not None:
        return known
    parts = tuple(template.split("|"))
    if not _KNOWN_FIELDS.issuperset(parts):
        raise ParseError(f"IMA template {template[:MAX_NAME]!r} is not known")
    return parts


def place_field(entry: ImaEntry, name: str, value: bytes) -> None:
    """Put a field of the template behind the path into the entry."""
    if name == "sig":
        entry.signature = value
    elif name == "buf":
        entry.buffer = value
    elif value:
        text = value.decode("utf-8", "replace") if name in AS_TEXT else value.hex()
        entry.others[name] = text.rstrip("\0")


# ------------------------------------------------------------------ binary


def is_binary(data: bytes) -> bool:
    """Tell a binary list: it begins with a PCR index of four bytes."""
    if len(data) < 5:  # noqa: PLR2004 - the index, and something behind it
        return False
    return int.from_bytes(data[:4], "little") <= LARGEST_PCR or int.from_bytes(data[:4], "big") <= LARGEST_PCR  # fmt: skip


def read_binary(data: bytes, max_entries: int) -> list[ImaEntry]:
    """Return the entries of `binary_runtime_measurements`, or of a list of another bank (`…_sha256`), in either byte order.

    Raises:
        ParseError: truncated, past a bound, or a template that is not known.
    """
    order, hash_bytes = _form(data)
    reader = BinaryReader(data, order, "IMA list")
    entries: list[ImaEntry] = []
    while reader.left:
        if len(entries) >= max_entries:
            raise ParseError(f"more than {max_entries} IMA entries")
        entries.append(of_binary(reader, hash_bytes))
    return entries


def _form(data: bytes) -> tuple[Literal["little", "big"], int]:
    """Return byte order and size of the template hashes: those with which a template's name follows the first hash."""
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    for order in orders:
        for size in _HASH_BY_SIZE:
            start = 4 + size
            length = int.from_bytes(data[start : start + 4], order)
            name = data[start + 4 : start + 4 + length].decode("ascii", "replace")
            if 0 < length <= MAX_NAME and (name in TEMPLATES or _KNOWN_FIELDS.issuperset(name.split("|"))):  # fmt: skip
                return order, size
    return "little", 20


def of_binary(reader: BinaryReader, hash_bytes: int = 20) -> ImaEntry:
    """Return the next entry of `binary_runtime_measurements`.

    Args:
        reader: stands behind the entry afterwards.
        hash_bytes: size of the template hash, by the list's bank.

    Raises:
        ParseError: truncated, past a bound, or a template that is not known.
    """
    pcr = reader.number(4)
    if pcr > LARGEST_PCR:
        raise ParseError(f"IMA entry of PCR {pcr} at byte {reader.at - 4}; there are 24")
    template_hash = reader.take(hash_bytes)
    name = _bounded(reader, MAX_NAME, "template name").decode("ascii", "replace")
    entry = ImaEntry(pcr, template_hash, name)
    if name == "ima":
        entry.digest = reader.take(20)
        path = _bounded(reader, MAX_DATA, "file name")
        entry.path = path.decode("utf-8", "backslashreplace")
        entry.data = entry.digest + path[: IMA_NAME_BYTES - 1].ljust(IMA_NAME_BYTES, b"\0")
        return entry
    entry.data = _bounded(reader, MAX_DATA, "template data")
    inner = BinaryReader(entry.data, reader.order, "IMA template data")
    for part in fields_of(name):
        value = _bounded(inner, MAX_DATA, part)
        if part in _NUMBERS:
            value = str(int.from_bytes(value[:8], reader.order)).encode()
        _binary_field(entry, part, value)
    return entry


def _bounded(reader: BinaryReader, bound: int, what: str) -> bytes:
    size = reader.number(4)
    if size > bound:
        raise ParseError(f"IMA {what} of {size} bytes at {reader.at}; the bound is {bound}")
    return reader.take(size)


def _binary_field(entry: ImaEntry, name: str, value: bytes) -> None:
    if name in ("d-ng", "d-ngv2"):
        label, found, body = value.partition(b":\0")
        if not found:
            raise ParseError("IMA digest field without its algorithm")
        entry.algorithm = label.rpartition(b":")[2].decode("ascii", "replace")
        entry.digest = body
    elif name == "d":
        entry.digest = value
    elif name in ("n", "n-ng"):
        entry.path = value.rstrip(b"\0").decode("utf-8", "backslashreplace")
    elif name == "d-modsig" and value:
        label, _, body = value.partition(b":\0")
        entry.others[name] = f"{label.decode('ascii', 'replace')}:{body.hex()}"
    else:
        place_field(entry, name, value)
