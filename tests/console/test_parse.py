"""Words of `opsonin parse` for people: where no adapter fits, and where an option is wrong."""

import pytest
from click.testing import CliRunner

from console.parse import parse
from console.replay import replay


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "standard input: no record to look at"),
        (b"hello\n", "no adapter reads it"),
        (b"Jun 15 11:00:00 web app: hello\n" * 3, "no adapter reaches a confidence of 0.55"),
    ],
)
def test_detection_says_where_no_adapter_fits(text: bytes, says: str) -> None:
    assert says in CliRunner().invoke(parse, ["--detect"], input=text).output


def test_wrong_options_of_time_are_wrong_use() -> None:
    done = CliRunner().invoke(parse, ["--adapter", "linux.auth", "--zone", "Wien"])
    assert (done.exit_code, "no time zone is named 'Wien'" in done.output) == (2, True)
    done = CliRunner().invoke(replay, ["--received", "soon"])
    assert (done.exit_code, "expected a time such as 2026" in done.output) == (2, True)
