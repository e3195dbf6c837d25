"""Compiled rules kept between starts."""

import msgspec

from correlate.sigma.cache import load_files
from correlate.sigma.cache_form import VERSION
from correlate.sigma.lines import LineMatcher
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Options
from tests.correlate.sigma.making import rule

GOOD = rule("s: {A|contains: [x, 'y*z'], B|re: ab+, C|cidr: 10.0.0.0/8}", id="good").encode()
BAD = rule("s: {A|foo: x}", id="bad").encode()
EVENT = b'{"A":"axb","B":"abb","C":"10.0.0.1","EventID":1}'


def files(*contents: bytes) -> list[tuple[str, bytes]]:
    return [(f"f{at}.yml", content) for at, content in enumerate(contents)]


def test_warm_start_gives_the_same_rules_without_reading_yaml() -> None:
    cold = load_files(files(GOOD, BAD))
    warm = load_files(files(GOOD, BAD), cache=cold.cache)
    assert (warm.reused, warm.cache) == (2, None)
    assert warm.rules.detections["good"].condition == cold.rules.detections["good"].condition
    assert [str(error) for error in warm.rules.errors] == [
        str(error) for error in cold.rules.errors
    ]
    assert [r.id for r in LineMatcher(warm.rules.detections.values()).match(EVENT)] == ["good"]


def test_only_changed_files_are_read_again() -> None:
    cold = load_files(files(GOOD, BAD))
    changed = load_files(files(GOOD, BAD.replace(b"|foo", b"")), cache=cold.cache)
    assert changed.reused == 1
    assert list(changed.rules.detections) == ["good", "bad"]
    assert changed.cache is not None


def test_other_pipelines_placeholders_or_filters_do_not_use_the_cache() -> None:
    cold = load_files(files(GOOD))
    pipeline = Pipeline("p", "name: p\npriority: 1\ntransformations: []\n")
    assert load_files(files(GOOD), cache=cold.cache, pipelines=[pipeline]).reused == 0
    options = Options(placeholders={"a": ("b",)})
    assert load_files(files(GOOD), cache=cold.cache, options=options).reused == 0
    filtered = (
        b"title: f\nid: f\nlogsource: {product: windows}\n"
        b"filter: {rules: [good], selection: {A: axb}, condition: not selection}\n"
    )
    both = load_files(files(GOOD, filtered), cache=cold.cache)
    assert LineMatcher(both.rules.detections.values()).match(EVENT) == []
    assert (
        LineMatcher(
            load_files(files(GOOD, filtered), cache=both.cache).rules.detections.values()
        ).match(EVENT)
        == []
    )


def test_unknown_version_or_broken_cache_is_passed_over() -> None:
    cold = load_files(files(GOOD))
    assert cold.cache is not None
    later = msgspec.json.encode(msgspec.json.decode(cold.cache) | {"version": VERSION + 1})
    for broken in (
        later,
        b"",
        b"{",
        cold.cache[:100],
        b"[]",
        cold.cache.replace(b'"leaf"', b'"eval"'),
    ):
        again = load_files(files(GOOD), cache=broken)
        assert again.reused == 0
        assert list(again.rules.detections) == ["good"]


def test_cache_is_readable_json() -> None:
    cache = load_files(files(GOOD)).cache
    assert cache is not None
    assert msgspec.json.decode(cache)["kind"] == "opsonin compiled sigma rules"


def test_derived_id_follows_the_file_name_on_a_warm_start() -> None:
    text = GOOD.replace(b"id: good\n", b"")
    cold = load_files([("a.yml", text)])
    warm = load_files([("b.yml", text)], cache=cold.cache)
    assert list(warm.rules.detections) == list(load_files([("b.yml", text)]).rules.detections)
    assert list(warm.rules.detections) != list(cold.rules.detections)


def test_documents_that_are_no_sigma_rules_are_handed_on() -> None:
    found = load_files([("p.yml", b"pattern: x\naction: deny\n")])
    assert [document.data["pattern"] for document in found.others] == ["x"]
    assert not found.rules.errors


def test_correlations_are_read_each_time() -> None:
    text = GOOD + b"---\ntitle: c\nid: c\ncorrelation: {type: event_count, rules: [good]}\n"
    cold = load_files(files(text))
    warm = load_files(files(text), cache=cold.cache)
    assert list(warm.rules.correlations) == ["c"]
    assert list(warm.rules.detections) == ["good"]


MIXED = (
    GOOD
    + b"""---
title: often
id: often
correlation: {type: event_count, rules: [good], group-by: [A], timespan: 1m, condition: {gte: 2}}
"""
)


def test_rules_beside_a_correlation_are_compiled_once() -> None:
    cold = load_files(files(MIXED))
    warm = load_files(files(MIXED), cache=cold.cache)
    assert (cold.reused, warm.reused, warm.cache) == (0, 1, None)
    assert list(warm.rules.correlations) == ["often"]
    assert warm.rules.detections["good"].condition == cold.rules.detections["good"].condition


def test_own_attributes_of_a_rule_and_their_places_are_kept() -> None:
    text = GOOD + b"opsonin:\n  fold-by: [A]\n"
    cold = load_files(files(text))
    warm = load_files(files(text), cache=cold.cache)
    before, after = (one.rules.detections["good"].document for one in (cold, warm))
    assert after.data["opsonin"] == {"fold-by": ["A"]}
    place = ("opsonin", "fold-by", 0)
    assert after.place(*place) == before.place(*place) != (1, 1)


def test_a_rule_refused_for_another_of_its_id_is_refused_again_and_stands_alone_later() -> None:
    second = GOOD.replace(b"ab+", b"cd+")
    cold = load_files(files(GOOD, second))
    warm = load_files(files(GOOD, second), cache=cold.cache)
    assert [str(e) for e in warm.rules.errors] == [str(e) for e in cold.rules.errors] != []
    alone = load_files([("f1.yml", second)], cache=cold.cache)
    assert list(alone.rules.detections) == ["good"]


def test_a_file_that_is_no_yaml_is_named_at_each_start() -> None:
    bad = b"title: [unclosed"
    cold = load_files(files(GOOD, bad))
    warm = load_files(files(GOOD, bad), cache=cold.cache)
    assert [e.file for e in warm.rules.errors] == [e.file for e in cold.rules.errors] == ["f1.yml"]


def test_a_damaged_cache_is_passed_over() -> None:
    cold = load_files(files(GOOD)).cache
    assert cold is not None
    damaged = [cold.replace(b"10.0.0.0", b"20.0.0.0"), cold[:-20], cold[:50] + b"\xff" + cold[51:]]
    for one in damaged:
        assert load_files(files(GOOD), cache=one).reused == 0
