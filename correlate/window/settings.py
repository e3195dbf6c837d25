"""Bounds and defaults of correlation; the `[correlate]` table of the settings file."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.timespan import Timespan


class WindowSettings(BaseModel):
    """What a rule does not say for itself.

    Attributes:
        lateness: how much later than the watermark an event may come and still count as if in time.
        fold: quiet time after which a repeated detection is a new alert.
        sensor_fold: the same for a sensor's own alert. An alert bears the time of its first event, so the order in which
            an attack's steps began is told no finer than this; as long as the lateness, within which order is open
            anyway. Chains gather what falls apart (`run_gap`).
        fold_by: fields that a detection's or a sensor alert's repetitions are folded by; those that an event
            lacks fold together.
        refire: an alert that goes on longer gives way to a new one.
        max_keys: groups kept at a time, over all rules; events of further ones are counted and take no part.
        max_events: entries kept in one group; the oldest beyond it are only counted.
        max_all_events: entries kept in all groups together, which bounds memory; beyond it the group that grows
            lets its oldest go.
        max_values: distinct values of one group counted exactly; more are estimated.
        max_alert_events: event ids that an alert lists.
        max_alert_entities: entities that an alert lists.
        max_carried: values of one field that an alert carries to an outer correlation's group-by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lateness: Timespan = timedelta(seconds=10)
    fold: Timespan = timedelta(minutes=5)
    sensor_fold: Timespan = timedelta(seconds=10)
    fold_by: tuple[str, ...] = ("source.ip", "destination.ip", "host.name", "user.name")
    refire: Timespan = timedelta(days=1)
    max_keys: Annotated[int, Field(ge=1)] = 2_000_000
    max_events: Annotated[int, Field(ge=8)] = 100_000
    max_all_events: Annotated[int, Field(ge=8)] = 2_000_000
    max_values: Annotated[int, Field(ge=16)] = 20_000
    max_alert_events: Annotated[int, Field(ge=1)] = 100
    max_alert_entities: Annotated[int, Field(ge=1)] = 64
    max_carried: Annotated[int, Field(ge=1)] = 100
