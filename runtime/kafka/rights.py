"""Who may do what on the cluster: the least rights of each role, once, for people, for `deploy/kafka/` and for the tests.

Each role has a user of its own, so that a broken sensor's ingest cannot write policy. Write on a topic brings Describe; a
transactional producer needs no more than its id and its topics (Kafka 2.8 and later, KIP-679).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from contract.errors import BrokerError
from contract.topics import (
    AGGREGATE_STATE,
    ALERTS,
    CHAINS,
    COMMANDS,
    DEAD_LETTERS,
    DECIDE_STATE,
    DETECT_STATE,
    EVENTS,
    INGEST_STATE,
    LINK_STATE,
    MATCHES,
    OBSERVATIONS,
    OUTCOMES,
    POLICY,
    VIEWS_STATE,
    Topic,
)
from runtime.kafka.client import translated

Operation: TypeAlias = Literal[
    "Read", "Write", "Create", "Describe", "DescribeConfigs", "Alter", "AlterConfigs"
]
Resource: TypeAlias = Literal["topic", "group", "transactional-id"]

PRINCIPAL: Final = "User:opsonin-{role}"
"""How a role's user is called where nothing else is said."""
TOPICS_ROLE: Final = "topics"
"""Who runs `opsonin topics apply`."""


@dataclass(slots=True, frozen=True)
class Access:
    """What one role does.

    Attributes:
        reads: topics.
        writes: topics.
        is_group: it shares its input among workers.
        is_transactional: it writes in transactions.
    """

    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    is_group: bool = False
    is_transactional: bool = True


ACCESS: Final[dict[str, Access]] = {
    "ingest": Access((INGEST_STATE,), (EVENTS, DEAD_LETTERS, INGEST_STATE)),
    "detect": Access(
        (EVENTS, DETECT_STATE),
        (MATCHES, OBSERVATIONS, DEAD_LETTERS, DETECT_STATE),
        is_group=True,
    ),
    "aggregate": Access(
        (MATCHES, AGGREGATE_STATE),
        (OBSERVATIONS, ALERTS, DEAD_LETTERS, AGGREGATE_STATE),
        is_group=True,
    ),
    "link": Access(
        (OBSERVATIONS, COMMANDS, LINK_STATE),
        (CHAINS, ALERTS, DEAD_LETTERS, LINK_STATE),
        is_group=True,
    ),
    "decide": Access(
        (CHAINS, OUTCOMES, COMMANDS, DECIDE_STATE),
        (POLICY, DEAD_LETTERS, DECIDE_STATE),
        is_group=True,
    ),
    "enforce": Access((POLICY, OUTCOMES), (OUTCOMES, EVENTS, DEAD_LETTERS)),
    "views": Access(
        (ALERTS, CHAINS, POLICY, VIEWS_STATE),
        (VIEWS_STATE,),
        is_group=True,
        is_transactional=False,
    ),
    "index": Access(
        (EVENTS, ALERTS, CHAINS, POLICY, OUTCOMES, DEAD_LETTERS),
        is_group=True,
        is_transactional=False,
    ),
    "console": Access((ALERTS, CHAINS, POLICY, OUTCOMES), (COMMANDS,), is_transactional=False),
}


@dataclass(slots=True, frozen=True)
class Right:
    """One right of one role.

    Attributes:
        is_prefix: `name` is what names begin with.
    """

    role: str
    operation: Operation
    resource: Resource
    name: str
    is_prefix: bool = False

    def words(self) -> str:
        """Return it as a person says it, e.g. `Write on topic opsonin.events`."""
        return f"{self.operation} on {self.resource} {self.name}{'*' if self.is_prefix else ''}"


def rights(prefix: str, roles: Iterable[str] = (*ACCESS, TOPICS_ROLE)) -> Iterator[Right]:
    """Yield the rights that the roles need, in the table's order."""
    for role in roles:
        if role == TOPICS_ROLE:
            for operation in _TOPICS_OPERATIONS:
                yield Right(role, operation, "topic", prefix, is_prefix=True)
            continue
        access = ACCESS[role]
        for topic in access.reads:
            yield Right(role, "Read", "topic", f"{prefix}{topic.name}")
        for topic in access.writes:
            yield Right(role, "Write", "topic", f"{prefix}{topic.name}")
        if access.is_group:
            yield Right(role, "Read", "group", f"{prefix}{role}")
        if access.is_transactional:
            id = f"{prefix}{role}."
            yield Right(role, "Write", "transactional-id", id, is_prefix=True)


def command(right: Right, principal: str = PRINCIPAL) -> str:
    """Return the arguments of Kafka's own `kafka-acls.sh` that give this right."""
    user = principal.format(role=right.role)
    pattern = " --resource-pattern-type prefixed" if right.is_prefix else ""
    return (
        f"--add --allow-principal {user} --operation {right.operation}"
        f" --{right.resource} '{right.name}'{pattern}"
    )


def grant(admin: KafkaAdminClient, given: Iterable[Right], principal: str = PRINCIPAL) -> int:
    """Give rights; return how many. Those that are there already stay.

    Raises:
        BrokerError: the brokers refuse, or keep no ACLs.
    """
    acls = [acl(right, principal) for right in given]
    with translated("give rights", "Alter on the cluster"):
        answer = admin.create_acls(acls)
    if ClusterAuthorizationFailedError in answer["failed"]:
        raise BrokerError("cannot give rights: missing right: Alter on the cluster")
    if answer["failed"]:
        names = sorted({one.__name__ for one in answer["failed"]})
        raise BrokerError(f"cannot give rights: {', '.join(names)}")
    return len(answer["succeeded"])


def missing(
    admin: KafkaAdminClient, wanted: Iterable[Right], principal: str = PRINCIPAL
) -> list[Right]:
    """Return which rights are not given as such; a wider one that covers them is not seen.

    Raises:
        BrokerError: the brokers refuse, or keep no ACLs.
    """
    everything = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ALLOW, _ANYTHING)
    with translated("list rights", "Describe on the cluster"):
        found, _ = admin.describe_acls(everything)
    there = set(found)
    return [right for right in wanted if acl(right, principal) not in there]


def require(admin: KafkaAdminClient, prefix: str, role: str, member: str) -> None:
    """Ask the brokers what we, as whoever we are, may do in this role, before it begins.

    A right that is used seldom, such as reading state back, would else be missed in the middle of a recovery.

    Raises:
        BrokerError: rights are missing; names them. Absent topics are somebody else's to tell.
    """
    needed = list(rights(prefix, [role]))
    names = sorted({one.name for one in needed if one.resource == "topic"})
    with translated(f"describe the topics of {role}", "Describe on the topics"):
        topics = {one["name"]: one for one in admin.describe_topics(names)}
    lacking = [one.words() for one in needed if not _has(admin, one, topics.get(one.name), member)]
    if lacking:
        raise BrokerError(f"cannot run {role}: missing right: {', '.join(lacking)}")


def _has(admin: KafkaAdminClient, right: Right, topic: dict[str, Any] | None, member: str) -> bool:
    """Tell whether we have a right, as far as the brokers say; what they cannot say now counts as had."""
    try:
        if right.resource == "group":
            admin.describe_groups([right.name])
        elif right.resource == "transactional-id":
            admin.describe_transactions([f"{right.name}{member}"])
        elif topic is not None and topic["error_code"] == 0:
            return right.operation.upper() in (topic.get("authorized_operations") or ())
        else:
            return topic is None or topic["error_code"] != TopicAuthorizationFailedError.errno
    except AuthorizationError:
        return False
    except KafkaError:
        return True  # no such group or transactional id yet, or its coordinator is not there
    return True


def acl(right: Right, principal: str = PRINCIPAL) -> ACL:
    """Return the right as kafka-python says it."""
    pattern = ACLResourcePatternType.PREFIXED if right.is_prefix else ACLResourcePatternType.LITERAL
    return ACL(
        principal.format(role=right.role),
        "*",
        _OPERATIONS[right.operation],
        ACLPermissionType.ALLOW,
        ResourcePattern(_RESOURCES[right.resource], right.name, pattern),
    )


_TOPICS_OPERATIONS: Final[tuple[Operation, ...]] = (
    "Create", "Describe", "DescribeConfigs", "Alter", "AlterConfigs",
)  # fmt: skip
_OPERATIONS: Final[dict[Operation, ACLOperation]] = {
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
    "Create": ACLOperation.CREATE,
    "Describe": ACLOperation.DESCRIBE,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
    "Alter": ACLOperation.ALTER,
    "AlterConfigs": ACLOperation.ALTER_CONFIGS,
}
_RESOURCES: Final[dict[Resource, ResourceType]] = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
_ANYTHING: Final = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
