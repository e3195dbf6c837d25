"""The faces of the engine: command line, terminal view, HTTP API."""
