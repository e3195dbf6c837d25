"""TCG boot event logs: the SHA-1 form of TPM 1.2 and the crypto-agile form of TPM 2.0.

Source: TCG PC Client Platform Firmware Profile 1.06, section 10 (event logging), and the UEFI 2.10 device paths
(section 10.3); read 2026-11. Integers are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from contract.errors import ParseError
from ingest.formats.binary_reader import BinaryReader
from ingest.formats.tpm_algorithms import HASHES, digest, extend

MAX_EVENTS: Final = 16_384
MAX_EVENT_BYTES: Final = 4_194_304
"""Data of one event; firmware measures certificate data bases of some hundred kilobytes."""
MAX_DIGESTS: Final = 16
_LARGEST_PCR: Final = 23
_SPEC_ID: Final = b"Spec ID Event03\0"
_LOCALITY: Final = b"StartupLocality\0"
EV_NO_ACTION: Final = 3

TYPES: Final[dict[int, str]] = {
    0: "EV_PREBOOT_CERT", 1: "EV_POST_CODE", 2: "EV_UNUSED", 3: "EV_NO_ACTION", 4: "EV_SEPARATOR", 5: "EV_ACTION",
    6: "EV_EVENT_TAG", 7: "EV_S_CRTM_CONTENTS", 8: "EV_S_CRTM_VERSION", 9: "EV_CPU_MICROCODE",
    10: "EV_PLATFORM_CONFIG_FLAGS", 11: "EV_TABLE_OF_DEVICES", 12: "EV_COMPACT_HASH", 13: "EV_IPL",
    14: "EV_IPL_PARTITION_DATA", 15: "EV_NONHOST_CODE", 16: "EV_NONHOST_CONFIG", 17: "EV_NONHOST_INFO",
    18: "EV_OMIT_BOOT_DEVICE_EVENTS", 19: "EV_POST_CODE2",
    0x80000001: "EV_EFI_VARIABLE_DRIVER_CONFIG", 0x80000002: "EV_EFI_VARIABLE_BOOT",
    0x80000003: "EV_EFI_BOOT_SERVICES_APPLICATION", 0x80000004: "EV_EFI_BOOT_SERVICES_DRIVER",
    0x80000005: "EV_EFI_RUNTIME_SERVICES_DRIVER", 0x80000006: "EV_EFI_GPT_EVENT", 0x80000007: "EV_EFI_ACTION",
    0x80000008: "EV_EFI_PLATFORM_FIRMWARE_BLOB", 0x80000009: "EV_EFI_HANDOFF_TABLES",
    0x8000000A: "EV_EFI_PLATFORM_FIRMWARE_BLOB2", 0x8000000B: "EV_EFI_HANDOFF_TABLES2",
    0x8000000C: "EV_EFI_VARIABLE_BOOT2", 0x8000000D: "EV_EFI_GPT_EVENT2", 0x80000010: "EV_EFI_HCRTM_EVENT",
    0x800000E0: "EV_EFI_VARIABLE_AUTHORITY", 0x800000E1: "EV_EFI_SPDM_FIRMWARE_BLOB",
    0x800000E2: "EV_EFI_SPDM_FIRMWARE_CONFIG", 0x800000E3: "EV_EFI_SPDM_DEVICE_POLICY",
    0x800000E4: "EV_EFI_SPDM_DEVICE_AUTHORITY",
}  # fmt: skip

_HASH_OF_DATA: Final = frozenset(
    ("EV_SEPARATOR", "EV_ACTION", "EV_EFI_ACTION", "EV_EFI_VARIABLE_DRIVER_CONFIG", "EV_S_CRTM_VERSION",
     "EV_EFI_GPT_EVENT", "EV_TABLE_OF_DEVICES")
)  # fmt: skip
"""Events whose digest is that of the data logged with them (the profile's table 14)."""


@dataclass(slots=True)
class BootEvent:
    """One event of a log; `digests` by algorithm name."""

    number: int
    pcr: int
    kind: str
    digests: dict[str, bytes]
    data: bytes

    def is_consistent(self) -> bool | None:
        """Tell whether the digests are those of the data; None: this kind of event does not say."""
        if self.kind not in _HASH_OF_DATA:
            return None
        for name, value in self.digests.items():
            expected = digest(name, self.data)
            if expected is not None and expected != value:
                return False
        return True


@dataclass(slots=True)
class EventLog:
    """A whole log: its events, and which algorithms its header names."""

    algorithms: list[str]
    events: list[BootEvent] = field(default_factory=list)
    locality: int = 0


def read_log(data: bytes) -> EventLog:
    """Return the events of a log.

    Raises:
        ParseError: no event log, truncated, or past a bound.
    """
    reader = BinaryReader(data, "little", "TCG event log")
    first = _sha1_event(reader, 0)
    log = EventLog(["sha1"])
    sizes: dict[int, tuple[str, int]] | None = None
    if first.kind == "EV_NO_ACTION" and first.data[:16] == _SPEC_ID:
        sizes, missing = _spec_id(first.data)
        # Some firmware does not count the vendor's bytes in the size of the event that ends with them.
        first.data += reader.take(missing)
        log.algorithms = [name for name, _ in sizes.values()]
    log.events.append(first)
    end = len(data.rstrip(b"\0"))
    while reader.left:
        if reader.at >= end:
            break  # the buffer of some firmware is larger than its log
        if len(log.events) >= MAX_EVENTS:
            raise ParseError(f"more than {MAX_EVENTS} boot events")
        number = len(log.events)
        event = _sha1_event(reader, number) if sizes is None else _agile(reader, number, sizes)
        if event.kind == "EV_NO_ACTION" and event.data[:16] == _LOCALITY and len(event.data) > 16:  # noqa: PLR2004 - the byte behind the signature
            log.locality = event.data[16]
        log.events.append(event)
    return log


def _kind(reader: BinaryReader) -> tuple[int, str]:
    pcr, number = reader.number(4), reader.number(4)
    if pcr > _LARGEST_PCR and number != EV_NO_ACTION:
        raise ParseError(f"boot event of PCR {pcr} at byte {reader.at - 8}; there are 24")
    return pcr, TYPES.get(number, f"0x{number:08x}")


def _data(reader: BinaryReader) -> bytes:
    size = reader.number(4)
    if size > MAX_EVENT_BYTES:
        raise ParseError(
            f"boot event of {size} bytes at {reader.at}; the bound is {MAX_EVENT_BYTES}"
        )
    return reader.take(size)


def _sha1_event(reader: BinaryReader, number: int) -> BootEvent:
    pcr, kind = _kind(reader)
    return BootEvent(number, pcr, kind, {"sha1": reader.take(20)}, _data(reader))


def _spec_id(data: bytes) -> tuple[dict[int, tuple[str, int]], int]:
    """Return name and digest size by algorithm identifier, and how many vendor's bytes are still to come."""
    reader = BinaryReader(data, "little", "TCG log header")
    reader.take(16 + 4 + 4)
    count = reader.number(4)
    if not 0 < count <= MAX_DIGESTS:
        raise ParseError(f"TCG log header names {count} algorithms; expected 1 to {MAX_DIGESTS}")
    sizes: dict[int, tuple[str, int]] = {}
    for _ in range(count):
        number, size = reader.number(2), reader.number(2)
        name, known = HASHES.get(number, (f"0x{number:04x}", size))
        if size != known or not 0 < size <= 64:  # noqa: PLR2004 - SHA-512, the longest
            raise ParseError(f"TCG log header: {name} with digests of {size} bytes")
        sizes[number] = name, size
    vendor = reader.number(1) if reader.left else 0
    return sizes, max(vendor - reader.left, 0)


def _agile(reader: BinaryReader, number: int, sizes: dict[int, tuple[str, int]]) -> BootEvent:
    pcr, kind = _kind(reader)
    count = reader.number(4)
    if count > MAX_DIGESTS:
        raise ParseError(f"boot event {number} with {count} digests; the bound is {MAX_DIGESTS}")
    digests: dict[str, bytes] = {}
    for _ in range(count):
        identifier = reader.number(2)
        if identifier not in sizes:
            raise ParseError(
                f"boot event {number}: algorithm 0x{identifier:04x} is not in the header"
            )
        name, size = sizes[identifier]
        digests[name] = reader.take(size)
    return BootEvent(number, pcr, kind, digests, _data(reader))


def replay(log: EventLog, bank: str) -> dict[int, bytes]:
    """Return the PCRs of a bank after the log; those that no event extends are left out."""
    sizes = dict(HASHES.values())
    size = sizes.get(bank)
    values: dict[int, bytes] = {}
    if size is None:
        return values
    start = log.locality
    if any(event.kind == "EV_EFI_HCRTM_EVENT" for event in log.events):
        start = 4  # an H-CRTM leaves PCR 0 so, whatever the locality of startup
    for event in log.events:
        measured = event.digests.get(bank)
        if measured is None or event.kind == "EV_NO_ACTION":
            continue
        initial = bytes(size - 1) + bytes([start]) if event.pcr == 0 else bytes(size)
        after = extend(bank, values.get(event.pcr, initial), measured)
        if after is None:
            return {}
        values[event.pcr] = after
    return values


# ------------------------------------------------------------------ what the data of an event say

MAX_TEXT: Final = 4_096


def details(event: BootEvent) -> dict[str, Any]:
    """Return what the event's data say, by plain names; nothing where they are truncated or private."""
    try:
        if event.kind.startswith("EV_EFI_VARIABLE"):
            return _variable(event.data)
        if event.kind.startswith(("EV_EFI_BOOT_SERVICES", "EV_EFI_RUNTIME")):
            return _image(event.data)
        if event.kind == "EV_EFI_PLATFORM_FIRMWARE_BLOB" and len(event.data) == 16:  # noqa: PLR2004 - two addresses
            reader = BinaryReader(event.data, "little", event.kind)
            return {"blob_base": f"{reader.number(8):#x}", "blob_length": reader.number(8)}
    except ParseError:
        return {}
    text = _text(event.data)
    return {"text": text} if text else {}


def _variable(data: bytes) -> dict[str, Any]:
    reader = BinaryReader(data, "little", "EFI variable")
    guid = UUID(bytes_le=reader.take(16))
    characters, size = reader.number(8), reader.number(8)
    name = reader.take(characters * 2).decode("utf-16-le", "replace").rstrip("\0")
    value = reader.take(size)
    return {"variable": name[:MAX_TEXT], "guid": str(guid), "value": value[:MAX_TEXT].hex()}


def _image(data: bytes) -> dict[str, Any]:
    reader = BinaryReader(data, "little", "EFI image")
    reader.take(24)
    path = _device_path(reader.take(reader.number(8)))
    return {"path": path} if path else {}


_MEDIA, _FILE_PATH, _END = 4, 4, 0x7F


def _device_path(data: bytes) -> str:
    """Return the file path nodes of a UEFI device path, joined."""
    parts: list[str] = []
    at = 0
    while at + 4 <= len(data):
        kind, subtype, size = (
            data[at],
            data[at + 1],
            int.from_bytes(data[at + 2 : at + 4], "little"),
        )
        if size < 4 or kind == _END:  # noqa: PLR2004 - a node's own header
            break
        if (kind, subtype) == (_MEDIA, _FILE_PATH):
            parts.append(data[at + 4 : at + size].decode("utf-16-le", "replace").rstrip("\0"))
        at += size
    path = "\\".join(part.strip("\\") for part in parts)
    return ("\\" + path)[:MAX_TEXT] if path else ""


def _text(data: bytes) -> str:
    """Return printable text, in UTF-8 or UTF-16; empty where there is none."""
    data = data[: MAX_TEXT * 2]
    for encoding in ("utf-16-le", "utf-8") if data[1:2] == b"\0" else ("utf-8",):
        try:
            text = data.decode(encoding).rstrip("\0")
        except UnicodeDecodeError:
            continue
        if text and all(character.isprintable() or character in "\t\r\n" for character in text):
            return text[:MAX_TEXT]
    return ""
