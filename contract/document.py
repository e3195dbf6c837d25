"""YAML that a person wrote, with the line of every key, under bounds; the safe loader only.

Sigma rules, chain patterns and playbooks are read through here, so that every error names file and line.
Source: YAML 1.1 as PyYAML reads it; anchors are refused beyond a bound ("billion laughs").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from contract.errors import RuleError

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 1_000_000

Path: TypeAlias = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """One YAML document of a file.

    Attributes:
        file: as given by the reader, for messages.
        data: the mapping.
        lines: (line, column), from 1, of the node at each path of keys and indexes.
    """

    file: str
    data: dict[str, Any]
    lines: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, *path: str | int) -> tuple[int, int]:
        """Return (line, column) of the deepest known node on `path`; (1, 1) for an empty document."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1, 1

    def error(self, message: str, *path: str | int) -> RuleError:
        """Make (not raise) an error that names the file and place of `path`."""
        line, column = self.place(*path)
        return RuleError(message, file=self.file, line=line, column=column)


def read(text: str, file: str) -> Iterator[Document]:
    """Yield the documents of a YAML text, in order; empty ones are passed over.

    Raises:
        RuleError: not YAML, not mappings, duplicate keys, or past a bound.
    """
    if len(text) > MAX_BYTES:
        raise RuleError(f"{len(text)} characters; expected at most {MAX_BYTES}", file=file)
    loader = yaml.CSafeLoader(text)
    try:
        while loader.check_node():
            # The C loader's composer has no public bound; nodes are counted while they are walked.
            node = loader.get_node()
            if node is None or node.tag == "tag:yaml.org,2002:null":
                continue
            lines: dict[Path, tuple[int, int]] = {}
            _walk(node, (), lines, file, _Count())
            data = loader.construct_document(node)
            if not isinstance(data, dict):
                raise RuleError(
                    f"expected a mapping, came {type(data).__name__}",
                    file=file,
                    line=node.start_mark.line + 1,
                    column=1,
                )
            yield Document(file, data, lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleError(
            f"not valid YAML: {error.problem or error.context}",
            file=file,
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise RuleError(f"not valid YAML: {error}", file=file) from error
    except RecursionError as error:
        raise RuleError(f"nested deeper than {MAX_DEPTH}", file=file) from error
    finally:
        loader.dispose()


@dataclass(slots=True)
class _Count:
    nodes: int = 0


def _walk(
    node: yaml.Node, path: Path, lines: dict[Path, tuple[int, int]], file: str, count: _Count
) -> None:
    """Record places; aliases are walked again each time, so that their expansion counts."""
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    count.nodes += 1
    if count.nodes > MAX_NODES or len(path) > MAX_DEPTH:
        bound = (
            f"deeper than {MAX_DEPTH}" if len(path) > MAX_DEPTH else f"more than {MAX_NODES} values"
        )
        raise RuleError(f"{bound}, aliases included", file=file, line=line, column=column)
    lines.setdefault(path, (line, column))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen and name != "<<":
                raise RuleError(
                    f"key {name!r} stands twice",
                    file=file,
                    line=key.start_mark.line + 1,
                    column=key.start_mark.column + 1,
                )
            seen.add(name)
            lines[*path, name] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _walk(value, (*path, name), lines, file, count)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, file, count)
