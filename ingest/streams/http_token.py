"""The shared secret of an HTTP source: where it is read from, and the ways in which senders carry it.

Sources: RFC 6750 (Bearer), RFC 7617 (Basic), Splunk "HTTP Event Collector" (`Splunk <token>`, Basic with any
user), Elasticsearch "API key service" (`ApiKey` and the Base64 of `id:key`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from contract.errors import SettingsError

_PLAIN: Final = frozenset(("bearer", "splunk", "apikey"))
_PAIRED: Final = frozenset(("basic", "apikey"))
_MAX_CREDENTIAL: Final = 8192
"""Longer ones are compared as they stand, not unpacked."""


def read_token(owner: str, file: Path | None, variable: str | None) -> bytes | None:
    """Return the secret of a file or else of an environment variable; None where neither is named.

    Args:
        owner: whose secret it is, for the error: `source edge`, `web`.
        file: blanks around the secret are cut.
        variable: likewise.

    Raises:
        SettingsError: the file or variable is missing or empty.
    """
    if file is not None:
        try:
            token = file.read_bytes().strip()
        except OSError as error:
            raise SettingsError(f"{owner}: token_file: {error}") from error
    elif variable is not None:
        token = os.environb.get(variable.encode(), b"").strip()
    else:
        return None
    if not token:
        raise SettingsError(f"{owner}: the token is empty; expected a secret")
    return token


def is_carried(token: bytes, given: str, *, is_authorization: bool) -> bool:
    """Whether a header's value carries the secret, compared in constant time.

    Args:
        token: the secret.
        given: the header's value.
        is_authorization: the header is `Authorization`, whose value begins with a scheme.
    """
    if not is_authorization:
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token)
    return any(hmac.compare_digest(one, token) for one in _credentials(given))


def _credentials(given: str) -> Iterator[bytes]:
    scheme, _, rest = given.partition(" ")
    scheme, secret = scheme.lower(), rest.strip().encode("utf-8", "surrogateescape")
    if scheme in _PLAIN:
        yield secret
    if scheme in _PAIRED and len(secret) <= _MAX_CREDENTIAL:
        try:
            pair = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            return
        yield pair.partition(b":")[2]
        if scheme == "apikey":
            yield pair
