"""Rights of the API keys that the docs and `deploy/` give, as the tests on a real server use them."""

from __future__ import annotations

from typing import Any, Final

OURS: Final = "logs-opsonin.*"
WRITER: Final[dict[str, Any]] = {"cluster": ["monitor"], "indices": [{"names": [OURS], "privileges": ["create_doc", "index", "auto_configure", "create_index", "view_index_metadata"]}]}  # fmt: skip
SETUP: Final[dict[str, Any]] = {"cluster": ["monitor", "manage_index_templates"], "indices": [{"names": [OURS], "privileges": ["create_index", "manage"]}]}  # fmt: skip
READER: Final[dict[str, Any]] = {"cluster": [], "indices": [{"names": [OURS], "privileges": ["read"]}]}  # fmt: skip
