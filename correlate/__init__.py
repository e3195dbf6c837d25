"""Event to match to alert to chain: pure state machines, no I/O, time is an argument."""
