"""Processing pipelines: YAML in pySigma's form to something that compiles rules and can be named in a cache.

The text is read by pySigma when a rule is compiled, not before: a warm start does not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from contract.errors import RuleError

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

MAX_LENGTH = 4 * 1024 * 1024


@dataclass(frozen=True)
class Pipeline:
    """One pipeline.

    Attributes:
        name: as the user gave it: of a shipped pipeline, or its file.
        text: YAML.
    """

    name: str
    text: str

    @cached_property
    def parsed(self) -> ProcessingPipeline:
        """The pipeline as pySigma has it.

        Raises:
            RuleError: it is not one.
        """
        import yaml  # noqa: PLC0415  # not needed at a warm start
        from sigma.exceptions import SigmaError  # noqa: PLC0415
        from sigma.processing.pipeline import ProcessingPipeline  # noqa: PLC0415

        if len(self.text) > MAX_LENGTH:
            raise RuleError(f"pipeline of {len(self.text)} characters", file=self.name)
        try:
            return ProcessingPipeline.from_yaml(self.text)
        except SigmaError as error:
            raise RuleError(f"not a processing pipeline: {error}", file=self.name) from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise RuleError(
                f"not valid YAML: {error.problem}", file=self.name, line=line
            ) from error
        except (yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError) as error:
            raise RuleError(f"not a processing pipeline: {error}", file=self.name) from error


def digest(pipelines: Sequence[Pipeline]) -> str:
    """Return what tells two sequences of pipelines apart."""
    made = blake2b(digest_size=16)
    for pipeline in pipelines:
        data = pipeline.text.encode()
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()


def in_order(pipelines: Sequence[Pipeline]) -> list[Pipeline]:
    """Return pipelines by their priority, then as given; as pySigma's resolver does.

    Raises:
        RuleError: one is not a pipeline.
    """
    return sorted(pipelines, key=lambda pipeline: pipeline.parsed.priority)
