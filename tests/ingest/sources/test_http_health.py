"""What asks whether we are well has no token; what posts has one."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from contract.meter import MemoryMeter
from ingest.sources.http import HttpSettings, HttpSource
from tests.conftest import PATIENCE_S


async def _asked(tmp_path: Path, path: str, **settings: object) -> int:
    secret = tmp_path / "token"
    secret.write_text("s3cret")
    made = HttpSettings.model_validate({"port": 0, "token_file": secret, **settings})
    source = HttpSource("web", made, MemoryMeter(), lambda: 0)

    async def pull() -> None:
        async for batch in source.batches(None):
            source.confirm(batch.position)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.05)
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{source.port}") as session,
            session.get(path) as answer,
        ):
            status = answer.status
        await source.close()
    return status


@pytest.mark.parametrize(
    ("form", "path", "status"),
    [
        ("hec", "/services/collector/health", 200),
        ("hec", "/services/collector/health/1.0", 200),
        ("elastic_bulk", "/_cluster/health", 401),
        ("elastic_bulk", "/", 401),
    ],
)
def test_a_load_balancer_asks_splunk_s_collector_without_a_token(
    tmp_path: Path, form: str, path: str, status: int
) -> None:
    assert asyncio.run(_asked(tmp_path, path, form=form)) == status


def test_a_stranger_is_not_told(tmp_path: Path) -> None:
    path = "/services/collector/health"
    assert asyncio.run(_asked(tmp_path, path, form="hec", senders=["192.0.2.0/24"])) == 403
