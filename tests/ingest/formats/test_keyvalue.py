"""Key=value text in its two habits."""

from ingest.formats.keyvalue import quoted, spaced


def test_spaced_keeps_the_first_of_equal_keys_and_bare_words() -> None:
    assert spaced("IN=eth0 OUT= LEN=40 DF SYN LEN=20") == {
        "IN": "eth0", "OUT": "", "LEN": "40", "DF": "", "SYN": "",
    }  # fmt: skip


def test_quoted_reads_blanks_escapes_and_empty_values() -> None:
    text = r'a=1 b="two words" c="" d= e="x=y" f="say \"hi\"" path=C:\x word g="open'
    assert quoted(text) == {
        "a": "1", "b": "two words", "c": "", "d": "", "e": "x=y", "f": 'say "hi"', "path": r"C:\x", "g": "open",
    }  # fmt: skip
    assert quoted('a="1" b=2') == {"a": "1", "b": "2"}


def test_long_words_without_pairs_are_read_once() -> None:
    # Read once for each letter, this is ten thousand million steps.
    assert quoted("a" * 100_000) == {}
    assert quoted("a-" * 50_000 + '\\"') == {}
    assert quoted('"a=1"b=2 :c=3') == {"a": '1"b=2', ":c": "3"}
