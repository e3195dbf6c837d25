"""The embedded engine imports no client of Kafka or Elasticsearch and no Faust until its settings name one."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from pathlib import Path
import console.cli, console.run
from runtime.compose import compose
from runtime.embedded import Embedded
from runtime.settings import load
load(Path("deploy/k8s/opsonin.toml"), {})
print([one for one in ("kafka", "aiokafka", "faust", "elasticsearch") if one in sys.modules])
"""


def test_embedded_engine_imports_no_client_that_it_does_not_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
