"""The declared topics on a cluster: made, compared, brought in line; never shrunk, never deleted.

What may lose records (a shorter retention, another clean-up) waits for a word of its own, and so do more partitions:
they send keys elsewhere than where their state is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from typing_extensions import override

from contract.errors import BrokerError
from contract.topics import STATES, TOPICS, Topic
from runtime.kafka.client import topic_bytes, translated
from runtime.kafka.settings import KafkaSettings

SHOWN_WITHIN_S: Final = 60.0
"""How long brokers may take to show what their controller has acknowledged."""
_LOOK_S: Final = 0.1

Remedy: TypeAlias = Literal["apply", "grow", "lose", "by hand"]

_COMPACTED: Final = {
    "cleanup.policy": "compact",
    "segment.bytes": str(64 << 20),  # only closed segments are compacted
    "min.cleanable.dirty.ratio": "0.2",
    "max.compaction.lag.ms": "3600000",
}
_RETENTION: Final = "retention.ms"


@dataclass(slots=True, frozen=True)
class Wanted:
    """One topic as it should be.

    Attributes:
        name: with the deployment's prefix.
        config: of the topic, by Kafka's names.
    """

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(slots=True, frozen=True)
class Difference:
    """What one topic is not as it should be.

    Attributes:
        what: `topic`, `partitions`, `replication`, or the name of a configuration.
        remedy: what brings it in line: plain `apply`, `apply --grow`, `apply --lose`, or a person's own work.
    """

    topic: str
    what: str
    expected: str
    found: str
    remedy: Remedy

    @override
    def __str__(self) -> str:
        return f"{self.topic}: {self.what} is {self.found}; expected {self.expected}"


def name_of(settings: KafkaSettings, topic: Topic) -> str:
    """Return the name on the cluster."""
    return f"{settings.prefix}{topic.name}"


def partitions_of(settings: KafkaSettings, topic: Topic) -> int:
    """Return how many partitions a topic is made with."""
    return settings.partitions if topic.scales else 1


def wanted(settings: KafkaSettings, topics: Iterable[Topic] = (*TOPICS, *STATES)) -> list[Wanted]:
    """Return the topics as the settings ask for them."""
    return [
        Wanted(
            name_of(settings, topic),
            partitions_of(settings, topic),
            settings.replication,
            _config(settings, topic),
        )
        for topic in topics
    ]


def compare(admin: KafkaAdminClient, wants: Sequence[Wanted]) -> list[Difference]:
    """Return what differs on the cluster.

    Raises:
        BrokerError: the brokers cannot be asked.
    """
    names = [want.name for want in wants]
    with translated("describe the topics", "Describe and DescribeConfigs on the topics"):
        described = {one["name"]: one for one in admin.describe_topics(names)}
        there = [name for name in names if _is_there(described.get(name))]
        asked = [ConfigResource("topic", name) for name in there]
        configs = admin.describe_configs(asked, config_filter="all")["topic"] if asked else {}
    found: list[Difference] = []
    for want in wants:
        if want.name in there:
            found += _differences(want, described[want.name]["partitions"], configs[want.name])
        else:
            found.append(Difference(want.name, "topic", "there", "absent", "apply"))
    return found


def unlike(name: str, count: int, wanted: int) -> str:
    """Return what to do about a topic whose number of partitions is not that of the settings."""
    return (
        f"topic {name} has {count} partitions, kafka.partitions is {wanted}; set it to {count} for all workers, "
        "or let `opsonin topics apply --grow` add partitions, and start all workers anew"
    )


def partition_counts(admin: KafkaAdminClient, names: Sequence[str]) -> list[int]:
    """Return how many partitions each topic has.

    Raises:
        BrokerError: one is not there, or may not be seen.
    """
    with translated("describe the topics", "Describe on the topics"):
        described = {one["name"]: one for one in admin.describe_topics(list(names))}
    absent = [name for name in names if not _is_there(described.get(name))]
    if absent:
        raise BrokerError(f"no topic {', '.join(absent)}; `opsonin topics apply` makes them")
    return [len(described[name]["partitions"]) for name in names]


def bring_in_line(
    admin: KafkaAdminClient, wants: Sequence[Wanted], *, grow: bool = False, lose: bool = False
) -> list[Difference]:
    """Make what is absent and change what may be changed; return what was done.

    Args:
        admin: with the rights to.
        wants: the topics.
        grow: add partitions too. Records of a key go to another partition then; windows open for it begin anew.
        lose: also change what makes the brokers delete records.

    Raises:
        BrokerError: the brokers refuse, or do not show in time what they acknowledged; what was done before stands.
    """
    remedies = {"apply", *(["grow"] if grow else []), *(["lose"] if lose else [])}
    by_name = {want.name: want for want in wants}
    todo = [one for one in compare(admin, wants) if one.remedy in remedies]
    for name in dict.fromkeys(one.topic for one in todo):
        _mend(admin, by_name[name], [one for one in todo if one.topic == name])
    if todo:
        _await_shown(admin, [by_name[name] for name in {one.topic for one in todo}], todo)
    return todo


def _await_shown(
    admin: KafkaAdminClient, wants: Sequence[Wanted], done: Sequence[Difference]
) -> None:
    """Wait until the brokers show what was done, which they take over from their controller a moment later."""
    mended = {(one.topic, one.what) for one in done}
    limit = time.monotonic() + SHOWN_WITHIN_S
    while left := [one for one in compare(admin, wants) if (one.topic, one.what) in mended]:
        if time.monotonic() > limit:
            raise BrokerError(
                f"{left[0]}; acknowledged, but not seen after {SHOWN_WITHIN_S:g} s", passes=True
            )
        time.sleep(_LOOK_S)


def _config(settings: KafkaSettings, topic: Topic) -> dict[str, str]:
    config = {
        "min.insync.replicas": str(settings.min_in_sync),
        "max.message.bytes": str(topic_bytes(settings)),
    }
    if topic.compacted:
        return {**config, **_COMPACTED}
    keep = settings.keep_bulk if topic.bulk else settings.keep_records
    return {
        **config,
        "cleanup.policy": "delete",
        _RETENTION: str(round(keep.total_seconds() * 1_000)),
    }


def _is_there(described: dict[str, Any] | None) -> bool:
    if described is None or described["error_code"] == UnknownTopicOrPartitionError.errno:
        return False
    if described["error_code"]:
        with translated(f"describe {described['name']}", f"Describe on topic {described['name']}"):
            raise for_code(described["error_code"])
    return True


def _differences(
    want: Wanted, partitions: list[dict[str, Any]], config: dict[str, Any]
) -> list[Difference]:
    found = []
    if len(partitions) != want.partitions:
        remedy: Remedy = "grow" if len(partitions) < want.partitions else "by hand"
        found.append(
            Difference(want.name, "partitions", str(want.partitions), str(len(partitions)), remedy)
        )
    copies = min(len(one["replica_nodes"]) for one in partitions)
    if copies != want.replication:
        found.append(
            Difference(want.name, "replication", str(want.replication), str(copies), "by hand")
        )
    for key, value in want.config.items():
        actual = str(config.get(key, {}).get("value"))
        if actual != value:
            found.append(Difference(want.name, key, value, actual, _remedy(key, value, actual)))
    return found


def _remedy(key: str, value: str, actual: str) -> Remedy:
    if key == "cleanup.policy":
        return "lose"
    if key == _RETENTION and (actual == "-1" or int(actual) > int(value)):
        return "lose"
    return "apply"


def _mend(admin: KafkaAdminClient, want: Wanted, todo: list[Difference]) -> None:
    what = {one.what for one in todo}
    if "topic" in what:
        _make(admin, want)
        return
    if "partitions" in what:
        with translated(f"add partitions to {want.name}", f"Alter on topic {want.name}"):
            admin.create_partitions({want.name: want.partitions})
    changes = {key: want.config[key] for key in what & set(want.config)}
    if changes:
        with translated(f"configure {want.name}", f"AlterConfigs on topic {want.name}"):
            answer = admin.alter_configs([ConfigResource("topic", want.name, changes)])
        if (said := answer["topic"][want.name]) != "OK":
            raise BrokerError(f"cannot configure {want.name}: {said}")


def _make(admin: KafkaAdminClient, want: Wanted) -> None:
    options = {
        "num_partitions": want.partitions,
        "replication_factor": want.replication,
        "configs": want.config,
    }
    try:
        with translated(f"make the topic {want.name}", f"Create on topic {want.name}"):
            try:
                admin.create_topics({want.name: options})
            except TopicAlreadyExistsError:
                return  # another worker was quicker; the next comparison says whether as wanted
            admin.wait_for_topics([want.name], timeout_ms=round(SHOWN_WITHIN_S * 1_000))
    except BrokerError as error:
        if "InvalidReplicationFactor" not in str(error):
            raise
        raise BrokerError(
            f"{error}; with fewer brokers set kafka.replication and kafka.min_in_sync"
        ) from error
