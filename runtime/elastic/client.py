"""A client for the settings' Elasticsearch; its library's exceptions end here.

The library is pinned to 9.x: it talks to servers of 9.x, and servers of 8.x refuse it by its media type.
"""

from __future__ import annotations

from typing import Any

import msgspec
from elastic_transport import ApiError as TransportApiError
from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, Elasticsearch, JsonSerializer
from typing_extensions import override

from contract.errors import IndexingError, SettingsError
from runtime.elastic.settings import ElasticSettings

_BODY_BYTES = 500


class _Json(JsonSerializer):
    """Reads whole numbers of any size as they are; orjson, the library's quick choice, makes floats of long ones."""

    @override
    def json_loads(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


def connect(settings: ElasticSettings) -> Elasticsearch:
    """Return a client; nothing is sent yet.

    Raises:
        SettingsError: no URL is set, the key's or the authority's file cannot be read, or holds something else.
    """
    if not settings.urls:
        raise SettingsError("elastic.urls is empty; expected at least one URL of Elasticsearch")
    options: dict[str, Any] = {}
    if settings.ca is not None:
        if not settings.ca.is_file():
            raise SettingsError(f"elastic.ca: no such file: {settings.ca}")
        options["ca_certs"] = str(settings.ca)
    if settings.api_key_file is not None:
        options["api_key"] = _key(settings)
    try:
        return Elasticsearch(
            list(settings.urls),
            request_timeout=settings.timeout.total_seconds(),
            # Whoever sends decides what is tried again, and when.
            max_retries=0,
            retry_on_timeout=False,
            serializer=_Json(),
            connections_per_node=settings.in_flight + 1,
            **options,
        )
    except (ValueError, OSError) as error:
        raise SettingsError(f"elastic: {error}") from error


def _key(settings: ElasticSettings) -> str:
    path = settings.api_key_file
    assert path is not None  # noqa: S101 - asked by the caller
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"elastic.api_key_file: {error}") from error
    if not key or len(key.split()) != 1:
        raise SettingsError(f"elastic.api_key_file: {path}: expected one encoded API key")
    return key


def explained(error: TransportError | ApiError | TransportApiError) -> IndexingError:
    """Return a foreign exception as ours, in words."""
    if isinstance(error, ApiError):
        body = error.body
        detail = body.get("error", body) if isinstance(body, dict) else body
        if isinstance(detail, dict):
            cause = (detail.get("root_cause") or [detail])[0]
            detail = f"{cause.get('type', '')}: {cause.get('reason', '')}"
        status = error.meta.status
        advice = {
            401: "; is elastic.api_key_file right?",
            403: "; the API key lacks a right, see docs/elasticsearch.md",
        }
        return IndexingError(
            f"Elasticsearch answered {status}: {str(detail)[:_BODY_BYTES]}{advice.get(status, '')}"
        )
    if isinstance(error, ConnectionTimeout):
        return IndexingError("Elasticsearch did not answer within elastic.timeout")
    # The library says "TLS error" and hides what the matter is.
    cause = error.__cause__ or error.__context__
    words = f"{error} ({cause})" if cause is not None else str(error)
    return IndexingError(f"Elasticsearch cannot be reached: {words[:_BODY_BYTES]}")
