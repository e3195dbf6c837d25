"""The Community ID of a flow: one value that all sensors that saw it share.

Source: Corelight community-id specification, version 1 (2019): SHA-1 over seed, addresses, protocol, a
zero byte and ports, the smaller endpoint first; ICMP types stand for ports.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha1
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

ICMP: Final = 1
ICMP6: Final = 58
_WITH_PORTS: Final = frozenset((6, 17, 132))  # TCP, UDP, SCTP
_LARGEST_PORT: Final = 65_535
_STATE: Final = sha1(usedforsecurity=False)


def _both_ways(pairs: tuple[tuple[int, int], ...]) -> dict[int, int]:
    return dict(pairs) | {answer: question for question, answer in pairs}


# Types that answer each other make one flow; all others are one-way and keep their direction.
_ANSWERS: Final = {
    ICMP: _both_ways(((8, 0), (13, 14), (15, 16), (10, 9), (17, 18))),
    ICMP6: _both_ways(((128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145))),
}


def community_id(
    source: str,
    destination: str,
    protocol: int,
    ports: tuple[int, int] | None = None,
    *,
    seed: int = 0,
) -> str | None:
    """Return e.g. `1:LQU9qZlK+B5F3KDmev6m5PMibrg=`, or None where an address or port is missing or wrong.

    Args:
        source: address as text.
        destination: address as text.
        protocol: IANA number.
        ports: source and destination port; of ICMP, type and code.
        seed: 0 unless the site agreed on another.
    """
    try:
        if ":" in source:
            first, second = inet_pton(AF_INET6, source), inet_pton(AF_INET6, destination)
        else:
            first, second = inet_pton(AF_INET, source), inet_pton(AF_INET, destination)
    except (OSError, ValueError):
        return None
    if protocol in _WITH_PORTS or protocol in _ANSWERS:
        if ports is None:
            return None
        left, right = ports
        answer = right
        if protocol in _ANSWERS:
            answer = _ANSWERS[protocol].get(left, -1)
            right = right if answer < 0 else answer
        if not (0 <= left <= _LARGEST_PORT and 0 <= right <= _LARGEST_PORT):
            return None
        if answer >= 0 and (first > second or (first == second and left > right)):
            first, second, left, right = second, first, right, left
        tail = (protocol << 40 | left << 16 | right).to_bytes(6, "big")
    else:
        if first > second:
            first, second = second, first
        tail = bytes((protocol & 0xFF, 0))
    data = (seed.to_bytes(2, "big") if seed else b"\0\0") + first + second + tail
    state = _STATE.copy()
    state.update(data)
    return "1:" + b2a_base64(state.digest(), newline=False).decode()


def parts_of(
    source: str, destination: str, protocol: int, ports: tuple[int, int] | None = None
) -> tuple[tuple[bytes, bytes], bool, tuple[int, int] | None]:
    """Return what the id of a flow is made of: packed addresses, whether both directions are one flow, ports if they count.

    Of ICMP the types stand for ports, as `community_id` has them. The arguments must have an id.
    """
    packed = tuple(
        inet_pton(AF_INET6 if ":" in address else AF_INET, address)
        for address in (source, destination)
    )
    pair, is_either = None, True
    if ports is not None and (protocol in _WITH_PORTS or protocol in _ANSWERS):
        left, right = ports
        if protocol in _ANSWERS:
            answer = _ANSWERS[protocol].get(left, -1)
            is_either = answer >= 0
            right = answer if is_either else right
        pair = left, right
    return (packed[0], packed[1]), is_either, pair
