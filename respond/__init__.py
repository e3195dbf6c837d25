"""Chain to decision to outcome: playbooks, guard rails, the ledger of desired state, enforcers."""
