"""Where raw records come from, one file per transport, each with a `SOURCE`."""
