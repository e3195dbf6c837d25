"""The examples of docs/sources.md are settings that load."""

import re
from pathlib import Path

from runtime.settings import load

PAGE = Path(__file__).parents[3] / "docs/sources.md"
EXAMPLE = re.compile(r"(?:^    .*\n|^\n)+", re.MULTILINE)


def test_every_example_of_the_page_loads(tmp_path: Path) -> None:
    blocks = [
        block
        for block in EXAMPLE.findall(PAGE.read_text())
        if re.search(r"^    \[", block, re.MULTILINE)
    ]
    settings = tmp_path / "opsonin.toml"
    settings.write_text("\n".join(line[4:] for block in blocks for line in block.splitlines()))
    loaded = load(settings, {})
    assert [source.name for source in loaded.sources] == [
        "eve", "wazuh", "zeek", "aminer", "leases", "windows-leases", "firewall", "reliable", "office", "auth", "kernel", "local-syslog", "nflog", "pf",
        "evidence", "shippers", "beats", "keylime",
    ]  # fmt: skip
    (office,) = (source for source in loaded.sources if source.name == "office")
    assert [route.settings.adapter.name for route in office.routes] == [
        "fortinet.fortigate",
        "pfsense.filterlog",
    ]
    assert loaded.normalize.enrich.own_networks
