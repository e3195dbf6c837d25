#!/bin/sh
# The least rights of each role, for the default prefix; written by tests/kafka/test_rights.py (OPSONIN_ACCEPT=1).
# Other prefix or users: `opsonin topics acls --principal 'User:siem-{role}'`, or let it give them: `--apply`.
# Usage: BOOTSTRAP=host:9093 ADMIN=admin.properties deploy/kafka/acls.sh
set -eu
acl() { kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN" "$@"; }

acl --add --allow-principal User:opsonin-ingest --operation Read --topic 'opsonin.ingest-state'
acl --add --allow-principal User:opsonin-ingest --operation Write --topic 'opsonin.events'
acl --add --allow-principal User:opsonin-ingest --operation Write --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-ingest --operation Write --topic 'opsonin.ingest-state'
acl --add --allow-principal User:opsonin-ingest --operation Write --transactional-id 'opsonin.ingest.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-detect --operation Read --topic 'opsonin.events'
acl --add --allow-principal User:opsonin-detect --operation Read --topic 'opsonin.detect-state'
acl --add --allow-principal User:opsonin-detect --operation Write --topic 'opsonin.matches'
acl --add --allow-principal User:opsonin-detect --operation Write --topic 'opsonin.observations'
acl --add --allow-principal User:opsonin-detect --operation Write --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-detect --operation Write --topic 'opsonin.detect-state'
acl --add --allow-principal User:opsonin-detect --operation Read --group 'opsonin.detect'
acl --add --allow-principal User:opsonin-detect --operation Write --transactional-id 'opsonin.detect.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-aggregate --operation Read --topic 'opsonin.matches'
acl --add --allow-principal User:opsonin-aggregate --operation Read --topic 'opsonin.aggregate-state'
acl --add --allow-principal User:opsonin-aggregate --operation Write --topic 'opsonin.observations'
acl --add --allow-principal User:opsonin-aggregate --operation Write --topic 'opsonin.alerts'
acl --add --allow-principal User:opsonin-aggregate --operation Write --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-aggregate --operation Write --topic 'opsonin.aggregate-state'
acl --add --allow-principal User:opsonin-aggregate --operation Read --group 'opsonin.aggregate'
acl --add --allow-principal User:opsonin-aggregate --operation Write --transactional-id 'opsonin.aggregate.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-link --operation Read --topic 'opsonin.observations'
acl --add --allow-principal User:opsonin-link --operation Read --topic 'opsonin.commands'
acl --add --allow-principal User:opsonin-link --operation Read --topic 'opsonin.link-state'
acl --add --allow-principal User:opsonin-link --operation Write --topic 'opsonin.chains'
acl --add --allow-principal User:opsonin-link --operation Write --topic 'opsonin.alerts'
acl --add --allow-principal User:opsonin-link --operation Write --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-link --operation Write --topic 'opsonin.link-state'
acl --add --allow-principal User:opsonin-link --operation Read --group 'opsonin.link'
acl --add --allow-principal User:opsonin-link --operation Write --transactional-id 'opsonin.link.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-decide --operation Read --topic 'opsonin.chains'
acl --add --allow-principal User:opsonin-decide --operation Read --topic 'opsonin.outcomes'
acl --add --allow-principal User:opsonin-decide --operation Read --topic 'opsonin.commands'
acl --add --allow-principal User:opsonin-decide --operation Read --topic 'opsonin.decide-state'
acl --add --allow-principal User:opsonin-decide --operation Write --topic 'opsonin.policy'
acl --add --allow-principal User:opsonin-decide --operation Write --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-decide --operation Write --topic 'opsonin.decide-state'
acl --add --allow-principal User:opsonin-decide --operation Read --group 'opsonin.decide'
acl --add --allow-principal User:opsonin-decide --operation Write --transactional-id 'opsonin.decide.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-enforce --operation Read --topic 'opsonin.policy'
acl --add --allow-principal User:opsonin-enforce --operation Read --topic 'opsonin.outcomes'
acl --add --allow-principal User:opsonin-enforce --operation Write --topic 'opsonin.outcomes'
acl --add --allow-principal User:opsonin-enforce --operation Write --topic 'opsonin.events'
acl --add --allow-principal User:opsonin-enforce --operation Write --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-enforce --operation Write --transactional-id 'opsonin.enforce.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-views --operation Read --topic 'opsonin.alerts'
acl --add --allow-principal User:opsonin-views --operation Read --topic 'opsonin.chains'
acl --add --allow-principal User:opsonin-views --operation Read --topic 'opsonin.policy'
acl --add --allow-principal User:opsonin-views --operation Read --topic 'opsonin.views-view-changelog'
acl --add --allow-principal User:opsonin-views --operation Write --topic 'opsonin.views-view-changelog'
acl --add --allow-principal User:opsonin-views --operation Read --group 'opsonin.views'
acl --add --allow-principal User:opsonin-index --operation Read --topic 'opsonin.events'
acl --add --allow-principal User:opsonin-index --operation Read --topic 'opsonin.alerts'
acl --add --allow-principal User:opsonin-index --operation Read --topic 'opsonin.chains'
acl --add --allow-principal User:opsonin-index --operation Read --topic 'opsonin.policy'
acl --add --allow-principal User:opsonin-index --operation Read --topic 'opsonin.outcomes'
acl --add --allow-principal User:opsonin-index --operation Read --topic 'opsonin.dead-letters'
acl --add --allow-principal User:opsonin-index --operation Read --group 'opsonin.index'
acl --add --allow-principal User:opsonin-console --operation Read --topic 'opsonin.alerts'
acl --add --allow-principal User:opsonin-console --operation Read --topic 'opsonin.chains'
acl --add --allow-principal User:opsonin-console --operation Read --topic 'opsonin.policy'
acl --add --allow-principal User:opsonin-console --operation Read --topic 'opsonin.outcomes'
acl --add --allow-principal User:opsonin-console --operation Write --topic 'opsonin.commands'
acl --add --allow-principal User:opsonin-topics --operation Create --topic 'opsonin.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-topics --operation Describe --topic 'opsonin.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-topics --operation DescribeConfigs --topic 'opsonin.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-topics --operation Alter --topic 'opsonin.' --resource-pattern-type prefixed
acl --add --allow-principal User:opsonin-topics --operation AlterConfigs --topic 'opsonin.' --resource-pattern-type prefixed
