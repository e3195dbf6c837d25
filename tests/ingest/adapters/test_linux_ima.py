"""IMA lists: both forms say the same, altered lists are seen, public lists replay."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Literal

import pytest

from contract.errors import ParseError
from contract.ports import Context
from ingest.adapters.linux_ima import ADAPTER
from ingest.formats.ima_text import of_line

DATA = Path(__file__).parents[2] / "data/adapter/linux_ima"
SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev/attestation"


def context(**options: object) -> Context:
    return Context(received_us=1_780_000_000_000_000, options=options)


def test_the_binary_and_the_ascii_form_of_a_list_give_the_same_events() -> None:
    binary = ADAPTER.parse((DATA / "binary.raw").read_bytes(), context())
    ascii_ = ADAPTER.parse((DATA / "list.raw").read_bytes(), context())
    assert binary == ascii_
    assert len(binary) == 8


def binary(template: str, parts: list[bytes], order: Literal["little", "big"], bank: str) -> bytes:
    """One entry as the kernel writes it."""

    def sized(data: bytes) -> bytes:
        return len(data).to_bytes(4, order) + data

    data = parts[0] + sized(parts[1]) if template == "ima" else b"".join(map(sized, parts))
    hashed = parts[0] + parts[1].ljust(256, b"\0") if template == "ima" else data
    head = (10).to_bytes(4, order) + hashlib.new(bank, hashed).digest() + sized(template.encode())
    return head + (data if template == "ima" else sized(data))


DIGEST = b"sha256:\0" + bytes(range(32))
TYPED = b"verity:sha256:\0" + bytes(range(32))
PATH = b"/usr/bin/a b\0"
SIGNED = b"\x03\x02" + bytes(30)
ENTRIES: list[tuple[str, list[bytes]]] = [
    ("ima", [bytes(range(20)), PATH[:-1]]),
    ("ima-ng", [DIGEST, PATH]),
    ("ima-ngv2", [TYPED, PATH]),
    ("ima-sig", [DIGEST, PATH, SIGNED]),
    ("ima-sigv2", [TYPED, PATH, SIGNED]),
    ("ima-buf", [DIGEST, b"kexec-cmdline\0", b"root=/dev/sda1"]),
    ("ima-modsig", [DIGEST, PATH, SIGNED, b"sha512:\0" + bytes(64), b"pkcs7"]),
    (
        "evm-sig",
        [
            DIGEST,
            PATH,
            SIGNED,
            b"security.ima\0",
            b"\x14\0\0\0",
            bytes(20),
            bytes(4),
            bytes(4),
            bytes(2),
        ],
    ),
    ("d-ng|n-ng|sig", [DIGEST, PATH, SIGNED]),
]


@pytest.mark.parametrize("bank", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("template", "parts"), ENTRIES, ids=[template for template, _ in ENTRIES])
def test_every_template_is_read_in_lists_of_every_bank_and_byte_order(
    template: str, parts: list[bytes], order: Literal["little", "big"], bank: str
) -> None:
    raw = binary(template, parts, order, bank) * 2
    first, second, appraisal = ADAPTER.parse(raw, context())
    assert first == second
    assert (first["ima.template"], first["event.outcome"]) == (template, "success")
    assert first.get("file.path", first["file.name"]) in ("/usr/bin/a b", "kexec-cmdline")
    assert appraisal["ima.entries"] == 2
    assert f"{bank}:10" in {one.rpartition(":")[0] for one in appraisal["opsonin.attestation.pcr"]}
    altered = bytearray(raw)
    altered[-1] ^= 1
    assert ADAPTER.parse(bytes(altered), context())[1]["event.reason"] == "template_hash"
    for end in range(len(raw) // 2 + 1, len(raw)):
        with pytest.raises(ParseError):
            ADAPTER.parse(raw[:end], context())


HEAD = "10 " + "ab" * 20 + " "
LONG = "sha256:" + "cd" * 32


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            f"evm-sig {LONG} /usr/bin/x 050302aa security.selinux|security.capability 1b000000 aabb 0 1000 33188",
            {"file.path": "/usr/bin/x", "ima.evmsig": "050302aa", "ima.xattrnames": "security.selinux|security.capability",
             "ima.iuid": "0", "ima.igid": "1000", "ima.imode": "33188"},
        ),
        (
            f"evm-sig {LONG} /usr/bin/x  security.ima 14000000  0 0 33261",
            {"file.path": "/usr/bin/x", "ima.xattrlengths": "14000000", "ima.imode": "33261"},
        ),
        (f"ima-modsig {LONG} /lib/x.ko 0302aa  ", {"file.path": "/lib/x.ko", "ima.signature": "0302aa"}),
        (f"ima-modsig {LONG} /lib/x.ko   ", {"file.path": "/lib/x.ko"}),
        (f"ima-modsig {LONG} /lib/x.ko", {"file.path": "/lib/x.ko"}),
        (f"ima-modsig {LONG} /lib/x.ko  sha256:ee 3082", {"file.path": "/lib/x.ko", "ima.d_modsig": "sha256:ee", "ima.modsig": "3082"}),
        (f"ima-sig {LONG} /a b ", {"file.path": "/a b"}),
        (f"ima-sig {LONG} /a b", {"file.path": "/a b"}),
    ],
)  # fmt: skip
def test_fields_behind_the_path_are_found_whether_empty_or_not(
    line: str, said: dict[str, str]
) -> None:
    (fields,) = ADAPTER.parse((HEAD + line).encode(), context())
    assert {name: fields.get(name) for name in said} == said


def test_an_unsigned_appraisal_of_a_module_is_no_altered_list() -> None:
    sig = bytes.fromhex("0302aa")
    parts = [DIGEST, b"/lib/x.ko\0", sig, b"", b""]
    data = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
    line = f"10 {hashlib.sha1(data, usedforsecurity=False).hexdigest()} ima-modsig sha256:{bytes(range(32)).hex()} /lib/x.ko 0302aa  "
    (fields,) = ADAPTER.parse(line.encode(), context())
    assert fields["event.outcome"] == "success"
    assert ADAPTER.parse(line.rstrip().encode(), context())[0]["event.outcome"] == "success"


def test_numbers_of_evm_are_the_same_in_both_forms() -> None:
    for order in ("little", "big"):
        parts = [DIGEST, PATH, b"", b"security.ima\0", b"", b"", (7).to_bytes(4, order), (1000).to_bytes(4, order), (33188).to_bytes(2, order)]  # fmt: skip
        fields = ADAPTER.parse(binary("evm-sig", parts, order, "sha1"), context())[0]
        assert (fields["ima.iuid"], fields["ima.igid"], fields["ima.imode"]) == ("7", "1000", "33188")  # fmt: skip
        assert fields["ima.xattrnames"] == "security.ima"


def test_a_digest_of_another_length_is_no_hash() -> None:
    (fields,) = ADAPTER.parse((HEAD + "ima-ng sha256:cdcdcd /x").encode(), context())
    assert "file.hash.sha256" not in fields
    assert fields["ima.digest"] == "sha256:cdcdcd"


def test_every_cut_of_a_binary_list_is_refused_or_shorter() -> None:
    raw = (DATA / "binary.raw").read_bytes()
    whole = len(ADAPTER.parse(raw, context()))
    for end in range(5, len(raw) - 1):
        try:
            found = ADAPTER.parse(raw[:end], context())
        except ParseError:
            continue
        assert len(found) < whole


def test_a_length_beyond_the_data_is_refused_at_once() -> None:
    started = time.process_time()
    raw = b"\x0a\0\0\0" + bytes(20) + b"\xff\xff\xff\xff" + b"x" * 100
    with pytest.raises(ParseError, match="the bound is"):
        ADAPTER.parse(raw, context())
    assert time.process_time() - started < 1


def test_an_altered_path_does_not_fit_its_template_hash() -> None:
    line = (DATA / "lines.log").read_text().splitlines()[1]
    assert of_line(line).is_consistent() is True
    assert of_line(line.replace("/usr/bin/bash", "/usr/bin/bosh")).is_consistent() is False


def test_a_policy_names_the_file_whose_digest_is_not_allowed() -> None:
    found = ADAPTER.parse(
        (DATA / "list.raw").read_bytes(), context(allow={"/usr/bin/bash": "sha256:00"})
    )
    alerts = [event for event in found[:-1] if event["event.kind"] == "alert"]
    assert [event["file.path"] for event in alerts] == ["/usr/bin/bash"]
    assert found[-1]["opsonin.attestation.result"] == "fail"
    assert found[-1]["opsonin.attestation.reason"] == ["digest"]


def test_a_list_that_a_policy_allows_passes() -> None:
    found = ADAPTER.parse((DATA / "list.raw").read_bytes(), context(pcrs={}, allow={"/none": "x"}))
    assert found[-1]["opsonin.attestation.result"] == "pass"
    # Nobody signed the list: it proves no state.
    assert found[-1]["opsonin.attestation.level"] == "warning"
    assert found[-1]["opsonin.attestation.reason"] == ["unquoted"]


@pytest.mark.shared
def test_a_machine_s_own_list_is_consistent_entry_by_entry() -> None:
    path = SHARED / "rust_keylime/ascii_runtime_measurements"
    if not path.exists():
        pytest.skip("the shared data are absent")
    lines = path.read_text().splitlines()
    found = ADAPTER.parse(path.read_bytes(), context())
    assert len(found) == len(lines) + 1
    assert all(of_line(line).is_consistent() for line in lines)
    assert found[-1]["opsonin.attestation.reason"] == ["no_reference"]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["sha1", "sha256", "sha384", "sha512", "sm3_256", "unknown"])
def test_lists_of_every_digest_are_read(name: str) -> None:
    path = SHARED / f"keylime/ima-log-{name}"
    if not path.exists():
        pytest.skip("the shared data are absent")
    found = ADAPTER.parse(path.read_bytes(), context())
    assert [event["ima.digest"].partition(":")[0] for event in found[1:2]] == [name]
    assert found[1]["file.path"] == "/data"


@pytest.mark.shared
def test_what_is_no_list_is_refused() -> None:
    path = SHARED / "rust_keylime/invalid_ima_log.txt"
    if not path.exists():
        pytest.skip("the shared data are absent")
    with pytest.raises(ParseError, match="no IMA entry"):
        ADAPTER.parse(path.read_bytes(), context())
