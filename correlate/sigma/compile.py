"""Rule documents, the filters that apply to them and the pipelines, to compiled detections. Importing it takes half a second: pySigma."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaDetections, SigmaRule

from contract.document import Document
from contract.errors import RuleError
from contract.ids import derive_id
from correlate.sigma import read
from correlate.sigma.condition import ConditionError
from correlate.sigma.lower import LowerError, condition_of, selections_of
from correlate.sigma.node import Node, conjunction
from correlate.sigma.pipelines import Pipeline, in_order
from correlate.sigma.route import fits
from correlate.sigma.rules import Detection, Options, RuleSet, Sorted, logsource_of, meta_of
from correlate.sigma.taxonomy import Source

MAX_LEAVES = 60_000
"""Of one rule, after expansion."""


def load(
    documents: Iterable[Document],
    *,
    pipelines: Sequence[Pipeline] = (),
    options: Options | None = None,
) -> RuleSet:
    """Compile documents: detections, correlations, filters, in any order.

    Never raises for what a rule says: see `RuleSet.errors`.

    Raises:
        RuleError: a pipeline is not one.
    """
    sorted_out = Sorted()
    for document in documents:
        sorted_out.add(document)
    compiler = Compiler(sorted_out.filters, pipelines, options or Options())
    detections: dict[str, Detection] = {}
    for identity, document in sorted_out.detections.items():
        try:
            detections[identity] = compiler.detection(document, identity)
        except RuleError as error:
            sorted_out.errors.append(error)
    return RuleSet(
        detections,
        sorted_out.correlations,
        sorted_out.filters,
        (*sorted_out.errors, *compiler.errors),
    )


@dataclass(slots=True)
class _Filter:
    document: Document
    rules: tuple[str, ...] | None
    source: Source
    detections: SigmaDetections


class Compiler:
    """Compiles detections of one configuration.

    Args:
        filters: filter documents by id.
        pipelines: applied by priority, then in this order, each to the rule as the earlier ones
            left it.
        options: see there.

    Raises:
        RuleError: a pipeline is not one.

    Attributes:
        errors: of the filters.
    """

    def __init__(
        self,
        filters: Mapping[str, Document],
        pipelines: Sequence[Pipeline],
        options: Options,
    ) -> None:
        self.errors: list[RuleError] = []
        self._options = options
        self._pipelines = [pipeline.parsed for pipeline in in_order(pipelines)]
        if options.placeholders:
            self._pipelines.append(_placeholders(options.placeholders))
        self._filters: list[_Filter] = []
        for document in filters.values():
            try:
                self._filters.append(_read_filter(document))
            except RuleError as error:
                self.errors.append(error)

    def detection(self, document: Document, identity: str) -> Detection:
        """Compile one rule.

        Raises:
            RuleError: what is wrong and where.
        """
        rule = read.detection(document, identity)
        stated = _source(rule)
        nodes = [self._lowered(document, rule)]
        for one in self._applying(identity, document, stated):
            filtered = read.detection(document, identity)
            filtered.detection = copy.deepcopy(one.detections)
            nodes.append(self._lowered(one.document, filtered, section="filter"))
        condition = conjunction(nodes)
        source = _source(rule)
        return Detection(
            id=identity,
            logsource=source,
            document=document,
            condition=condition,
            content=derive_id("condition", "|".join(source), msgspec.json.encode(condition)),
            **meta_of(document),
        )

    def selections(self, document: Document, identity: str) -> dict[str, Node]:
        """Return what each search identifier of a rule asks, after the pipelines, by name.

        Raises:
            RuleError: what is wrong and where.
        """
        rule = self._piped(document, read.detection(document, identity), "detection")
        try:
            return selections_of(rule.detection, allow_slow=self._options.allow_slow)
        except LowerError as error:
            raise document.error(str(error), "detection", error.identifier) from error

    def _applying(self, identity: str, document: Document, source: Source) -> list[_Filter]:
        names = {identity, document.data.get("name")}
        return [
            one
            for one in self._filters
            if fits(one.source, source) and (one.rules is None or names & set(one.rules))
        ]

    def _piped(self, document: Document, rule: SigmaRule, section: str) -> SigmaRule:
        for pipeline in self._pipelines:
            try:
                pipeline.apply(rule)
            except SigmaError as error:
                name = f" {pipeline.name!r}" if pipeline.name else ""
                raise document.error(f"pipeline{name}: {error}", section) from error
        return rule

    def _lowered(self, document: Document, rule: SigmaRule, section: str = "detection") -> Node:
        self._piped(document, rule, section)
        try:
            return condition_of(rule.detection, allow_slow=self._options.allow_slow)
        except LowerError as error:
            path = _place(document, section, error)
            name = f"{error.field}: " if error.field else ""
            raise document.error(f"{name}{error}", *path) from error
        except ConditionError as error:
            raise document.error(error.message, section, "condition") from error


def _place(document: Document, section: str, error: LowerError) -> tuple[str | int, ...]:
    """Return the path of the item that an error of lowering means, as near as names allow."""
    path: tuple[str | int, ...] = (section, error.identifier)
    item = document.data.get(section, {}).get(error.identifier)
    maps = enumerate(item) if isinstance(item, list) else [(None, item)]
    for at, one in maps:
        if isinstance(one, dict):
            for key in one:
                if str(key).split("|")[0] == error.field:
                    return (*path, *(() if at is None else (at,)), str(key))
    return path


def _source(rule: SigmaRule) -> Source:
    given = rule.logsource
    return logsource_of(given.product, given.category, given.service)


def _read_filter(document: Document) -> _Filter:
    reader = read.Reader(document)
    given = reader.log_source()
    return _Filter(
        document,
        read.filter_rules(document),
        logsource_of(given.product, given.category, given.service),
        reader.detections("filter"),
    )


def _placeholders(values: Mapping[str, Sequence[str]]) -> ProcessingPipeline:
    known: dict[str, Any] = {name: list(items) for name, items in values.items()}
    return ProcessingPipeline(
        name="placeholders of the settings",
        items=[ProcessingItem(ValueListPlaceholderTransformation(include=list(known)))],
        vars=known,
    )
