from collections.abc import Callable
from typing import Any

import pytest

from contract.document import read
from contract.errors import RuleError
from contract.records import Chain, ChainStage, Entity
from respond import playbook, trial
from respond.aim import Aim

WHOLE = """\
name: deny_it
description: test
playbook_types: mitigation
priority: 7
when:
  score: 10
  tactics: {any: [Initial-Access, impact]}
  techniques: {all: [t1190, T1059]}
  patterns: intrusion
  stages: 2
  alerts: 2
  entities:
    - {type: ip, role: source}
action: deny
target: {type: ip, role: [source]}
points: edge
duration: 90m
impact: low
"""


def parse(text: str) -> playbook.Playbook:
    (document,) = read(text, "p.yml")
    return playbook.parse(document)


def test_a_whole_playbook_is_read() -> None:
    read_back = parse(WHOLE)
    assert read_back.when.tactics.any == ("initial-access", "impact")
    assert read_back.points == ("edge",)
    assert read_back.duration.total_seconds() == 5400


@pytest.mark.parametrize(
    ("line", "instead", "place", "said"),
    [
        ("name: deny_it", "name: Deny It", "1:1", "'name' is 'Deny It'"),
        ("description: test\n", "", "1:1", ""),
        ("priority: 7", "priority: 101", "4:1", "'priority' is 101"),
        ("  score: 10", "  score: -1", "6:3", "'when.score' is -1"),
        ("  stages: 2", "  stagse: 2", "10:3", "'when.stagse' is not known here"),
        ("action: deny", "action: nuke", "14:1", "'action' is 'nuke'"),
        ("target: {type: ip,", "target: {type: flow,", "15:10", "expected one of file, host, ip"),
        ("duration: 90m", "duration: forever", "17:1", "expected a number and ms, s, m, h, d or w"),
        ("duration: 90m", "duration: 60d", "17:1", "everything expires"),
        ("impact: low\n", "", "1:1", "'impact' is absent"),
        ("    - {type: ip, role: source}", "    - {type: ip, role: boss}", "13:18", "'boss'"),
    ],
)
def test_a_fault_names_file_line_and_column(line: str, instead: str, place: str, said: str) -> None:
    assert line in WHOLE
    text = WHOLE.replace(line, instead)
    if not said:
        assert parse(text).description == ""
        return
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"p.yml:{place}: ")
    assert said in str(caught.value)


def test_a_wrong_playbook_leaves_the_others() -> None:
    texts = (WHOLE, WHOLE.replace("deny_it", "Bad Name"), WHOLE.replace("deny_it", "other"), WHOLE)
    loaded = playbook.load(one for n, text in enumerate(texts) for one in read(text, f"{n}.yml"))
    assert [one.name for one in loaded.playbooks] == ["deny_it", "other"]
    assert [error.file for error in loaded.errors] == ["1.yml", "3.yml"]
    assert "a playbook named 'deny_it' exists" in str(loaded.errors[1])


def test_playbooks_stand_in_order_of_priority() -> None:
    texts = (WHOLE, WHOLE.replace("deny_it", "first").replace("priority: 7", "priority: 1"))
    loaded = playbook.load(one for text in texts for one in read(text, "p.yml"))
    assert [one.name for one in loaded.playbooks] == ["first", "deny_it"]


@pytest.fixture
def fitting(make_chain: Callable[..., Chain]) -> Callable[..., Chain]:
    """A chain that satisfies every condition, changed by what a test gives."""

    def make(**changes: Any) -> Chain:
        base = make_chain()
        stages = tuple(
            ChainStage(tactic=tactic, technique=technique, alert=technique, time=base.first)
            for tactic, technique in (("initial-access", "T1190"), ("execution", "T1059.004"))
        )
        return make_chain(**({"stages": stages, "patterns": ("intrusion",)} | changes))

    return make


def test_a_chain_that_satisfies_every_condition_is_asked_about(
    fitting: Callable[..., Chain],
) -> None:
    assert parse(WHOLE).asks(fitting())


def _stage(tactic: str, technique: str, alert: str = "") -> ChainStage:
    return ChainStage.model_validate(
        {
            "tactic": tactic,
            "technique": technique,
            "alert": alert or technique,
            "time": "2026-01-01T00:00:00Z",
        }
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"score": 9.9},
        {"alerts": ("a1",)},
        {"patterns": ("other",)},
        {"patterns": ()},
        {"entities": (Entity(type="ip", value="192.0.2.1", role="target"),)},
        {"merged_into": "c9"},
        {"stages": (_stage("initial-access", "T1190"), _stage("initial-access", "T1059"))},
        {"stages": (_stage("initial-access", "T1190", "a"), _stage("execution", "T1059", "a"))},
        {"stages": (_stage("discovery", "T1190"), _stage("execution", "T1059"))},
        {"stages": (_stage("initial-access", "T1190"), _stage("execution", "T1204"))},
    ],
)
def test_each_condition_alone_decides(
    fitting: Callable[..., Chain], changes: dict[str, Any]
) -> None:
    assert not parse(WHOLE).asks(fitting(**changes))


def test_targets_are_distinct_and_in_order(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain(sources=("203.0.113.9", "203.0.113.8", "::ffff:203.0.113.9", "x"))
    targets, faults, _ = parse(WHOLE).target.at(chain)
    assert [one.value for one in targets] == ["203.0.113.8", "203.0.113.9"]
    assert len(faults) == 1


AIM = {"type": "ip", "role": "source"}


@pytest.mark.parametrize(
    ("aim", "meant"),
    [
        ({}, ["203.0.113.1", "203.0.113.2"]),
        ({"stages": 2}, ["203.0.113.1"]),
        ({"tactics": {"any": "impact"}}, ["203.0.113.1"]),
        ({"techniques": {"any": "T1595"}}, ["203.0.113.1", "203.0.113.2"]),
        ({"techniques": {"all": ["T1595", "T1499"]}}, ["203.0.113.1"]),
        ({"role": "target"}, ["203.0.113.2"]),
        ({"role": []}, ["203.0.113.1", "203.0.113.2"]),
    ],
)
def test_an_entity_is_acted_on_for_what_the_alerts_that_name_it_show(
    make_chain: Callable[..., Chain], aim: dict[str, Any], meant: list[str]
) -> None:
    one, two = (Entity(type="ip", value=f"203.0.113.{n}", role="source") for n in (1, 2))
    victim = two.model_copy(update={"role": "target"})
    stages = (
        _stage("reconnaissance", "T1595.001").model_copy(update={"entities": (one, two)}),
        _stage("impact", "T1499").model_copy(update={"entities": (one, victim)}),
    )
    bystander = Entity(type="ip", value="203.0.113.3", role="source")
    chain = make_chain(stages=stages, entities=(one, bystander))
    aimed = Aim.model_validate(AIM | aim).at(chain)
    assert [target.value for target in aimed.targets] == meant
    assert aimed.is_sure


# ------------------------------------------------------------------ trials

TRIALS = """\
playbook: deny_it
trials:
  - name: denied
    chain: &c
      score: 20
      alerts: 2
      patterns: [intrusion]
      entities: [{type: ip, value: 203.0.113.9, role: source}]
      stages: [{tactic: initial-access, technique: T1190}, {tactic: impact, technique: T1059}]
    points: {edge: nftables}
    decisions: [{target: 203.0.113.9, state: approved, lasts: 90m, points: [edge]}]
  - name: not denied
    chain: {score: 1}
    decisions: []
"""


def trials(text: str) -> trial.Trials:
    (document,) = read(text, "p.test.yml")
    return trial.load(document)


def test_trials_that_hold_say_nothing() -> None:
    assert trial.run(parse(WHOLE), trials(TRIALS)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("state: approved", "state: refused", "state: expected refused, came approved"),
        ("lasts: 90m", "lasts: 1h", "lasts: expected 1:00:00, came 1:30:00"),
        ("lasts: 90m", "reason: nothing", "expected 'nothing' in it"),
        ("score: 20", "score: 2", "expected a decision on 203.0.113.9, came none"),
        ("{score: 1}", "*c", "decision on 203.0.113.9 (proposed) was not expected"),
    ],
)
def test_trials_that_do_not_hold_say_so(old: str, new: str, said: str) -> None:
    (fault,) = trial.run(parse(WHOLE), trials(TRIALS.replace(old, new)))
    assert said in fault


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("decisions: []", "decisions: [{target: x}]", "p.test.yml:2:1: expected at least one"),
        ("alerts: 2", "alerts: 1000000000000", "p.test.yml:6:7: 'trials.0.chain.alerts' is 10000"),
        ("score: 20", "scored: 20", "p.test.yml:5:7: 'trials.0.chain.scored' is not known here"),
    ],
)
def test_a_faulty_trial_file_is_an_error_with_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        trials(TRIALS.replace(old, new))
    assert said in str(caught.value)
