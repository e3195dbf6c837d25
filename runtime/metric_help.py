"""What each metric means: the help text of the exposition, and of docs/metrics.md. Without the `opsonin_` prefix.

A counter's name ends in `_total` in the exposition, whether or not it does here. `label` is what a stage's notice is about:
a rule's id, a point's name, or the bound that was passed.
"""

from __future__ import annotations

from typing import Final

HELP: Final[dict[str, str]] = {
    # ------------------------------------------------------------ sources
    "records_read": "Records received, before normalization.",
    "bytes_read": "Bytes received.",
    "connections": "Connections open now.",
    "dropped_bound": "Records longer than the source's bound: cut, then refused by the normalizer.",
    "dropped_rate": "Datagrams left out because their sender passed its rate.",
    "dropped_sender": "Datagrams left out because their sender is not among those that are heard.",
    "dropped_connections": "Connections refused or cut, by reason: `connections` (too many at once, or of one sender), `sender` (not in `senders`), "
    "`proxy_header` (none came, or a wrong one), `certificate` (the peer's: none, expired, or of another authority than `client_ca`), `certificate_name` (not in "
    "`client_names`), `tls` (no agreement otherwise: version, no TLS, our certificate not believed), "
    "`held_bytes` (unfinished records beyond `max_held_bytes`).",
    "dropped_kernel": "Datagrams that the kernel dropped because its buffer was full.",
    "empty_datagrams": "Datagrams without content.",
    "paused_rate": "Times a sender was made to wait because it passed its rate.",
    "protocol_errors": "Connections ended because what came was not the protocol.",
    "accept_errors": "Connections that could not be accepted.",
    "http_refused": "Requests refused, by status; 404: to another path than posts go to.",
    "file_errors": "Files that could not be opened or read.",
    "files_open": "Files open now.",
    "files_truncated": "Files truncated while they were read.",
    "files_waiting": "Whether files wait because too many are open.",
    "journal_errors": "Journal entries that could not be read.",
    "journal_restarts": "Times `journalctl` had ended and was started again behind the last entry.",
    "sources_held_total": "Times a source of recorded input waited for another one to come up in event time.",
    # ------------------------------------------------------------ normalization
    "records_total": "Records normalized.",
    "events_total": "Events that came of them.",
    "dead_letters_total": "Records that could not be read; see `opsonin dead-letters`.",
    "events_duplicate_total": "Events stored before with the same id, and not again.",
    "field_misfits": "Values that are not of their field's ECS type; kept under the vendor's name.",
    "lines_learnt": "Shapes of lines for which a template was learnt; see docs/adapters.md.",
    "lines_refused": "Shapes of lines that cannot be learnt, and stay with the adapter.",
    "template_faults": "Templates found to differ from the adapter's own answer, and given up; please report.",
    "streams_forgotten_total": "Streams whose memory was given up because a source has too many.",
    "inventory_reloads": "Times the inventory was read anew.",
    "geoip_reloads": "Times a GeoIP file was read anew.",
    "geoip_errors": "Times a GeoIP file could not be read; what the last good one said stays.",
    "inventory_errors": "Times the inventory could not be read; the last good one stays.",
    "adapter_refused": "Times a sender named an adapter that the source's settings do not allow.",
    "detected_confidence": "Confidence in an adapter that was found for a sender; the least of its senders.",
    "clock_jumps_total": "Records further ahead than `engine.max_jump` that no second one confirmed, or further ahead of their arrival than `engine.lateness`: they did not move their source's time.",
    "clock_skew_seconds": "Arrival less event time: the least of each sender in a minute, and of those the extremes.",
    # ------------------------------------------------------------ rules
    "rules": "Rules in use, by kind.",
    "rules_refused": "Rules that could not be compiled.",
    "rule_files_kept": "Rule files that are broken and whose last good version stays in use.",
    "rule_reloads_total": "Times rules were read anew, by result.",
    "state_dropped_total": "Keys of correlations whose state went with their rule.",
    "matches_total": "Rules that held for an event, by rule.",
    # ------------------------------------------------------------ correlation and linking
    "alerts_total": "Alerts told, new ones and revisions.",
    "chains_total": "Attack chains told, new ones and revisions.",
    "correlation_events_dropped": "Events not kept because a group was full, by rule.",
    "correlation_groups_refused": "Groups not opened because a rule has too many, by rule.",
    "correlation_late_events": "Events too late for their window, by rule.",
    "correlation_ungrouped_events": "Events without the fields that a rule groups by, by rule.",
    "correlation_unknown_rules": "State of correlations that are no longer among the rules.",
    "correlation_unusable_values": "Events whose value could not be counted, by rule.",
    "correlation_values_estimated": "Distinct values counted by estimate, by rule.",
    "link_corrections_refused": "Corrections of chains by people that did not fit, by verb.",
    "link_left_out": "What the entity graph left out because a bound was passed, by bound.",
    # ------------------------------------------------------------ decisions and enforcement
    "decisions_total": "Decisions told, by state.",
    "outcomes_total": "Answers of enforcement points, by result.",
    "decide_claims_full_total": "Chains not decided on because too many decisions are remembered.",
    "decide_commands_refused_total": "Commands of people that did not fit, by verb.",
    "decide_outcomes_unknown_total": "Answers on decisions that are not remembered, by point.",
    "decide_over_limit_total": "Targets beyond a playbook's limit, by playbook.",
    "decide_targets_unusable_total": "Targets that no enforcement point could take, by playbook.",
    "decide_unenforced_total": "Approved decisions that a point could not carry out, by point.",
    "point_elements": "Elements a point holds for us now.",
    "point_writes_total": "Changes written to a point.",
    "point_failures_total": "Changes that a point refused or that could not reach it.",
    "point_drift_total": "Elements found changed by others, and put right.",
    "point_foreign_total": "Elements found that are not ours, left alone.",
    "point_rebuilds_total": "Times a point's own table was gone and was built anew.",
    "point_outcomes_total": "Answers given by a point, by result.",
    # ------------------------------------------------------------ Elasticsearch
    # ------------------------------------------------------------ the host
    "epochs_total": "Epochs committed.",
    "stage_keys": "Keys whose state a stage holds.",
    "watermark_seconds": "Event time reached, seconds since 1970.",
    # ------------------------------------------------------------ index
    "index_up": "Whether Elasticsearch took the last portion.",
    "index_lag": "Events and records that are stored and not yet acknowledged by Elasticsearch.",
    "index_documents_total": "Documents acknowledged or refused by Elasticsearch; repeated: there already.",
    "index_retries_total": "Bulk requests sent again.",
    "index_missed_total": "Events that the store's retention removed before Elasticsearch had them.",
    # ------------------------------------------------------------ Kafka: ingest, and topics of others
    "kafka_written_total": "Records written and acknowledged, by role.",
    "kafka_transactions_total": "Transactions that came through, by role.",
    "kafka_repeats_total": "Transactions tried again after a failure, by role; nothing is lost or written twice.",
    "spooled_records": "Datagrams that waited on disk because Kafka was slow or away.",
    "spool_bytes": "Bytes of datagrams on disk now.",
    "dropped_spool": "Datagrams that did not fit on disk any more.",
    "kafka_errors": "Reads of others' topics that failed and are tried again.",
    "kafka_empty": "Records of others' topics without a value, passed over.",
    "kafka_gone": "Records of others' topics that their retention removed before they were read.",
    # ------------------------------------------------------------ Kafka: the roles
    "transactions_total": "Transactions of the loop committed, by role.",
    "records_sent_total": "Records written by the loop, by role.",
    "records_refused_total": "Records on topics that could not be read and were passed over, by role.",
    "loop_restarts_total": "Times a role began anew from what is committed, by role.",
    "lag_records": "Records of a partition not read yet, by role and partition.",
    "restore_seconds": "How long the state of a partition took to be read back, by role.",
    "watermark_delay_seconds": "How far event time lies behind the wall clock, by role and partition.",
    "path_seconds": "Time since the record last taken was written by ingest, by role and partition.",
    "canary_age_seconds": "How old the last canary was when it came, by role.",
    "canary_seen_timestamp_seconds": "When the last canary came, by role.",
    "view_records_seen": "Records that the live view has taken.",
    "order_forced": "Records taken out of order because more waited than kafka.max_waiting, by stage.",
    "topic_dead_letters": "Records on topics that became dead letters, by the stage that met them.",
    # ------------------------------------------------------------ faces
    "web_refused_total": "Requests to the web face without the token, or on loopback by another name.",
}
