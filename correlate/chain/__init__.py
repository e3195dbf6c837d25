"""Entities, typed edges and attack chains."""
