"""Sigma rules: read by pySigma, compiled and matched here."""
