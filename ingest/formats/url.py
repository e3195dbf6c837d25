"""URLs of logs into ECS `url.*`: absolute ones, paths alone, and `host/path` without a scheme.

`urllib.parse` raises on hostile input (unbalanced brackets, ports that are no numbers) and is ten
times slower; what this reader cannot tell stays in `url.original`.
"""

from __future__ import annotations

import re

from contract.event import Fields
from ingest.formats.address import canonical_ip

_ABSOLUTE = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]{0,20})://(?:([^/?#@\s]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/?#:\s]*)(?::(\d{1,5}))?"
    r"([/?#].*)?",
    re.DOTALL,
).fullmatch
_REST = re.compile(r"([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL).fullmatch
_HOST_FIRST = re.compile(
    r"([A-Za-z0-9](?:[\w\-]*\.)+[A-Za-z0-9\-]{2,63}|\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?([/?#].*)?",
    re.DOTALL,
).fullmatch
_MAX_PORT = 65535


def url_fields(url: str) -> Fields:
    """Return `url.*` of a URL as a log writes it; `url.full` only when it names a scheme."""
    fields: Fields = {"url.original": url}
    if match := _ABSOLUTE(url):
        scheme, user, host, port, rest = match.groups()
        fields["url.full"] = url
        fields["url.scheme"] = scheme.lower()
        if user and user[0] != ":":
            fields["url.username"] = user.partition(":")[0]
        _host(fields, host, port)
    elif url[:1] in ("/", "?"):
        rest = url
    elif match := _HOST_FIRST(url):
        host, port, rest = match.groups()
        _host(fields, host, port)
    else:
        return fields
    if rest and (parts := _REST(rest)):
        path, query, fragment = parts.groups()
        if path:
            fields["url.path"] = path
            name = path.rpartition("/")[2]
            stem, dot, extension = name.rpartition(".")
            if dot and stem and extension.isalnum() and len(extension) <= 10:  # noqa: PLR2004 - no such type is longer
                fields["url.extension"] = extension
        if query:
            fields["url.query"] = query
        if fragment:
            fields["url.fragment"] = fragment
    return fields


def _host(fields: Fields, host: str, port: str | None) -> None:
    if host:
        fields["url.domain"] = host[1:-1] if host[0] == "[" and canonical_ip(host[1:-1]) else host
    if port and int(port) <= _MAX_PORT:
        fields["url.port"] = int(port)
