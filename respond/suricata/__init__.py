"""Suricata as the enforcer of that name needs it: its unix command socket, and the rules to load beside."""
