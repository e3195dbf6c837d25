"""Tokenizers that several adapters share: syslog headers, key-value, JSON, CEF, LEEF."""
