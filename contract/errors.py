"""The error tree: what a caller may have to handle, and nothing else.

    OpsoninError
    ├── InputError          something a person wrote is wrong; names file, line and column
    │   ├── SettingsError   the TOML file or an OPSONIN_ variable
    │   ├── RuleError       a Sigma rule, correlation, chain pattern or playbook
    │   ├── PluginError     an adapter, source or enforcer file that breaks its contract
    │   └── QueryError      a search query; names the column
    ├── ParseError          one raw record that its adapter cannot read; becomes a dead letter
    ├── ClockError          time given to a window went backwards
    ├── StoreError          state on disk cannot be read or written
    ├── PointError          an enforcement point refused, failed or cannot be reached
    ├── BrokerError         Kafka cannot be reached, or refuses; says which right is missing
    └── IndexingError       Elasticsearch cannot be reached, refuses us, or did not acknowledge in time

Bad input from the wire never crosses stages as an exception: it becomes a `DeadLetter`. Foreign
exceptions are translated where they are met.
"""

from __future__ import annotations


class OpsoninError(Exception):
    """Whatever Opsonin raises on purpose."""


class InputError(OpsoninError):
    """A fault in a file or variable that a person wrote.

    Args:
        message: what was expected, what came, what to do.
        file: path or variable name, as the person knows it.
        line: from 1; 0 when unknown.
        column: from 1; 0 when unknown.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        place = [part for part in (file, str(line or ""), str(column or "")) if part]
        super().__init__(f"{':'.join(place)}: {message}" if place else message)


class SettingsError(InputError):
    """The configuration is wrong; nothing was opened."""


class RuleError(InputError):
    """A rule, pattern or playbook is wrong; the others still load."""


class PluginError(InputError):
    """A plugin file breaks its contract."""


class QueryError(InputError):
    """A search query is not of the language, or asks what the field's type cannot answer."""


class ParseError(OpsoninError):
    """One raw record cannot be read; its text is the dead letter's reason."""


class ClockError(OpsoninError):
    """Event time given to a window is earlier than a time that it has already passed."""


class StoreError(OpsoninError):
    """State on disk is unreadable, of a newer version, or cannot be written."""


class PointError(OpsoninError):
    """An enforcement point refused, failed, or cannot be reached."""


class BrokerError(OpsoninError):
    """Kafka cannot be reached, or refuses what was asked.

    Args:
        message: what was asked, what came, what to do.
        passes: whether asking again may help, as in an outage; a missing right stays missing.
    """

    def __init__(self, message: str, *, passes: bool = False) -> None:
        self.passes = passes
        super().__init__(message)


class IndexingError(OpsoninError):
    """Elasticsearch cannot be reached, refuses us as a whole, or did not acknowledge everything in time."""
