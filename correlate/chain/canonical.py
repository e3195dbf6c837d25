r"""One spelling for one thing: canonical values of hosts, addresses, accounts, paths and flows.

Two sensors write the same machine as `WEB01.corp.example.` and `web01.corp.example`, the same address as
`2001:DB8::0:1` and `2001:db8::1`, the same flow from either end. Joins compare text, so the text
must be one. Sources: RFC 5952 (IPv6 text), Community ID 1.0 (flow hash), ECS 9.4 (MAC form),
Windows well-known SIDs and logon ids.

All functions are pure and remember their last answers, because log values repeat (`remembering`).
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from ipaddress import IPv4Address, IPv6Address, ip_address

from correlate.chain.remembering import remembered

NOTHING = frozenset({"", "-", "(none)", "null", "none", "n/a", "unknown", "(unknown)", "?"})
"""What sensors write where they mean nothing."""

MAX_VALUE = 512
"""Characters kept of one canonical value; a longer one is cut and ends in a digest of the whole."""

_MAC = re.compile(r"[^0-9a-f]")
_MAC_DIGITS = 12
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmp6": 58, "sctp": 132}
_PORTED = (6, 17, 132)
_BUILTIN_DOMAINS = frozenset(
    {"nt authority", "autorité nt", "nt-autorität", "nt service", "window manager",
     "font driver host", "builtin", "workgroup"}
)  # fmt: skip


def bounded(text: str) -> str:
    """Return `text`, or its head and digest when it is longer than `MAX_VALUE`."""
    if len(text) <= MAX_VALUE:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{text[: MAX_VALUE - 17]}~{digest}"


@remembered
def ip(text: str) -> str | None:
    """Return the address in its one spelling, or None: not an address, or one that names nobody.

    Loopback, unspecified, multicast and broadcast name no single peer. A mapped IPv4 address is
    that IPv4 address; a zone index is local to its host and is cut.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0].strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return None
    value = str(address)
    return None if value == "255.255.255.255" else value


@remembered
def is_link_local(text: str) -> bool:
    """Tell whether a canonical address is only valid on one link (169.254/16, fe80::/10)."""
    return ip_address(text).is_link_local


@remembered
def host(text: str) -> str | None:
    r"""Return a host name in lower case without the root dot; an address spelt as a name is no name.

    A host's account in its domain (`CORP\WEB01$`) and its share (`\\WEB01`) mean the host.
    """
    name = text.strip().rstrip(".").lower()
    if "\\" in name or name[-1:] == "$":
        name = name.rpartition("\\")[2].removesuffix("$")
    if name in NOTHING or name == "localhost" or name.startswith("localhost."):
        return None
    if name[0].isdigit() or ":" in name:
        try:
            ip_address(name)
        except ValueError:
            return bounded(name)
        return None
    return bounded(name)


@remembered
def mac(text: str) -> str | None:
    """Return a MAC address as ECS writes it (`00-00-5E-00-53-23`), or None for one that names no single device.

    That are none, broadcast and multicast (IEEE 802: the lowest bit of the first octet), and `02:42` with the address behind it,
    which Docker's bridges make of it on every host.
    """
    digits = _MAC.sub("", text.lower())
    if len(digits) != _MAC_DIGITS or digits == "0" * 12 or int(digits[:2], 16) & 1:
        return None
    if digits.startswith("0242"):
        return None
    return "-".join(digits[at : at + 2] for at in range(0, _MAC_DIGITS, 2)).upper()


@remembered
def user(name: str, domain: str, host_name: str) -> str | None:
    r"""Return `domain\name` for a domain account, `name@realm` for a cloud one, `host\name` for a local one.

    One domain is written `CORP` by NTLM and `corp.example.com` by Kerberos: the first label stands for it, which is the
    NetBIOS name unless somebody chose another. `name@realm` is that account where the realm is the domain that is stated beside it
    (Kerberos: 4769), or the host's own.

    Args:
        name: as logged; may itself be `domain\name` or `name@realm`.
        domain: as logged; empty, or the host's own name for a local account.
        host_name: canonical host, or empty when the account is of no host.
    """
    account, realm = name.strip().lower(), domain.strip().rstrip(".").lower()
    if account in NOTHING:
        return None
    if "\\" in account:
        realm, _, account = account.rpartition("\\")
    elif "@" in account:
        account, _, suffix = account.rpartition("@")
        if not account or suffix not in (realm, host_name.partition(".")[2]):
            return bounded(f"{account}@{suffix}")
        realm = suffix
    short = host_name.partition(".")[0]
    if realm in NOTHING or realm in _BUILTIN_DOMAINS or realm in (short, host_name):
        return bounded(f"{host_name}\\{account}" if host_name else account)
    return bounded(f"{realm.partition('.')[0]}\\{account}")


@remembered
def path(text: str) -> str | None:
    r"""Return a file path; Windows paths in lower case with one `\`, others as they are."""
    if text in NOTHING or text == "/":
        return None
    if "\\" in text or text[1:2] == ":":
        lower = text.replace("/", "\\").lower()
        return bounded(lower.removeprefix("\\??\\").removeprefix("\\\\?\\"))
    return bounded(text)


_PLACES = {
    "%systemroot%": "c:\\windows", "%windir%": "c:\\windows", "\\systemroot": "c:\\windows",
    "%comspec%": "c:\\windows\\system32\\cmd.exe", "%programdata%": "c:\\programdata",
    "%programfiles%": "c:\\program files", "%systemdrive%": "c:",
}  # fmt: skip
"""What Windows writes for its own places, where it was installed as usual."""


def expanded(text: str) -> str:
    """Return a command line or path with the variable that it begins with put in."""
    if text[:1] not in ("%", "\\", '"'):
        return text
    quote, rest = ('"', text[1:]) if text[0] == '"' else ("", text)
    lower = rest.lower()
    for name, place in _PLACES.items():
        if lower.startswith(name):
            return f"{quote}{place}{rest[len(name) :]}"
    return text


@remembered
def command(text: str) -> str:
    """Return a command line in one spelling: in lower case, without quotes, one blank between words, variables put in."""
    return " ".join(expanded(text.strip()).lower().replace('"', "").split())


@remembered
def guid(text: str) -> str:
    """Return a GUID without braces in lower case; other identifiers keep their case."""
    if text[:1] == "{" and text[-1:] == "}":
        return text[1:-1].lower()
    return bounded(text)


@remembered
def logon(text: str) -> str | None:
    """Return a Windows logon id as `0x…`, or a Linux session id; None where it names no session.

    0, 0x3e4, 0x3e5 and 0x3e7 are the machine's own accounts and last from boot to boot; 4294967295
    is Linux's "unset".
    """
    value = text.strip().lower()
    try:
        number = int(value, 16) if value.startswith("0x") else int(value)
    except ValueError:
        return None if value in NOTHING else bounded(value)
    if number in (0, 0x3E4, 0x3E5, 0x3E7, 0xFFFFFFFF):
        return None
    return hex(number) if value.startswith("0x") else value


@remembered
def flow(protocol: str, source: str, source_port: int, target: str, target_port: int) -> str | None:
    """Return the Community ID 1.0 (seed 0) of a flow with ports, or None for other protocols.

    Args:
        protocol: IANA name or number as text.
        source: canonical address.
        source_port: 0 to 65535.
        target: canonical address.
        target_port: 0 to 65535.
    """
    number = _PROTOCOLS.get(protocol.lower()) or (int(protocol) if protocol.isdecimal() else 0)
    if number not in _PORTED:
        return None
    here, there = ip_address(source).packed, ip_address(target).packed
    if len(here) != len(there):
        return None
    ends = sorted(((here, source_port), (there, target_port)))
    data = b"\0\0" + ends[0][0] + ends[1][0] + bytes((number, 0))
    data += ends[0][1].to_bytes(2, "big") + ends[1][1].to_bytes(2, "big")
    return "1:" + b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
