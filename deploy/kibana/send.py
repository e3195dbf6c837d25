"""Gives saved objects to a Kibana, as Stack Management > Saved Objects > Import does, over what it had under the same ids.

Source: Kibana's API "Import saved objects" (`POST /api/saved_objects/_import`), 8.19 and 9, read 2026-11.
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

_TIMEOUT_S = 60
_SHOWN_BYTES = 500


class RefusedError(Exception):
    """Kibana cannot be reached, or takes the objects not at all or not all; says why."""


@dataclass(slots=True, frozen=True)
class Kibana:
    """Where a Kibana is and who speaks to it.

    Attributes:
        url: base URL; with `/s/SPACE` at the end, that space.
        user: who may write saved objects; empty: nobody is asked for.
        password_file: holds the password and nothing else.
        ca: authority of its certificate, where the system does not know it.
    """

    url: str
    user: str = ""
    password_file: Path | None = None
    ca: Path | None = None


def send(text: str, kibana: Kibana) -> int:
    """Import saved objects; return how many.

    Raises:
        RefusedError: not all were taken.
        OSError: a file cannot be read.
    """
    answer = _post(text, kibana)
    if not answer.get("success"):
        raise RefusedError("; ".join(map(_fault, answer.get("errors", ()))) or str(answer))
    return int(answer["successCount"])


def _post(text: str, kibana: Kibana) -> Any:
    boundary = secrets.token_hex(16)
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="opsonin.ndjson"\r\n'
        f"Content-Type: application/ndjson\r\n\r\n{text}\r\n--{boundary}--\r\n"
    )
    # Kibana takes no post without the first header, so that no page elsewhere can make a browser send one.
    headers = {"kbn-xsrf": "true", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    if kibana.user and kibana.password_file is not None:
        said = f"{kibana.user}:{kibana.password_file.read_text(encoding='utf-8').strip()}"
        headers["Authorization"] = f"Basic {base64.b64encode(said.encode()).decode()}"
    url = f"{kibana.url.rstrip('/')}/api/saved_objects/_import?overwrite=true"
    request = Request(url, body.encode(), headers)  # noqa: S310 - the caller lets http and https through
    is_tls = url.startswith("https:")
    context = ssl.create_default_context(cafile=kibana.ca) if is_tls else None
    try:
        with urlopen(request, timeout=_TIMEOUT_S, context=context) as answer:  # noqa: S310
            return json.load(answer)
    except HTTPError as error:
        said = error.read(_SHOWN_BYTES).decode("utf-8", "replace")
        raise RefusedError(f"{url}: {error.code} {said}") from error
    except (URLError, TimeoutError, ValueError) as error:
        raise RefusedError(f"{url}: {error}") from error


def _fault(error: dict[str, Any]) -> str:
    return f"{error.get('type')} {error.get('id')}: {json.dumps(error.get('error'))}"
