"""Sigma correlations under event time: one `Logic` per correlation type."""
