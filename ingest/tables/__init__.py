"""Vendors' vocabularies as data: which key means which ECS field, which code means what."""
