"""Commands that fetch: a registry that fails once does not fail the tests."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from state import LabError

PAUSES_S = (5, 20, 60)
"""Before each further try."""
LIMIT_S = 1_200
"""Of one try; a gigabyte is fetched in one."""


def fetch(command: Sequence[str]) -> None:
    """Run a command that may be run again, until it succeeds.

    Raises:
        LabError: it failed every time, or took too long; its last words.
    """
    said = ""
    for pause_s in (*PAUSES_S, 0):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{command[0]} did not end within {LIMIT_S} s") from error
        if done.returncode == 0:
            return
        said = (done.stdout + done.stderr)[-2_000:]
        time.sleep(pause_s)
    raise LabError(f"{command[0]} failed {len(PAUSES_S) + 1} times: {said}")
