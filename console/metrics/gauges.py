"""Make gauges."""

from collections.abc import Mapping
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

Key = TypeVar("Key", bound=tuple[str, ...])


def gauge(name: str, text: str, value: float) -> Metric:
    """Return one measured value."""
    return GaugeMetricFamily(f"alert_intake_{name}", text, value)


def gauges(name: str, text: str, labels: tuple[str, ...], values: Mapping[Key, float]) -> Metric:
    """Return one measured value for each combination of labels."""
    family = GaugeMetricFamily(f"alert_intake_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
