"""Writes `runtime/elastic/ecs_fields.tsv` from ECS's published field list; once for each version of ECS.

    python deploy/elastic/ecs_fields.py path/to/generated/ecs/ecs_flat.yml

The list is `generated/ecs/ecs_flat.yml` of https://github.com/elastic/ecs (Apache-2.0). Kept are, in order of names: name, type, and what
an index must know beside it (`ignore_above=N`, `noindex`, `text` for a text multi-field, `scale=N`).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).parents[2] / "runtime" / "elastic" / "ecs_fields.tsv"


def row(field: Mapping[str, Any]) -> str:
    """Return the line of one field."""
    extras = []
    if "ignore_above" in field:
        extras.append(f"ignore_above={field['ignore_above']}")
    if field.get("index") is False:
        extras.append("noindex")
    if any(one["name"] == "text" for one in field.get("multi_fields", ())):
        extras.append("text")
    if "scaling_factor" in field:
        extras.append(f"scale={field['scaling_factor']}")
    return "\t".join((field["flat_name"], field["type"], " ".join(extras))).rstrip("\t")


def main() -> None:
    """Read the list, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ecs_flat", type=Path)
    fields = yaml.safe_load(parser.parse_args().ecs_flat.read_text(encoding="utf-8"))
    lines = [row(fields[name]) for name in sorted(fields)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TABLE}: {len(lines)} fields")


if __name__ == "__main__":
    main()
