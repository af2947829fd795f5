"""Shows what an evaluation came to."""

from __future__ import annotations

from typing import Any


def table(metrics: dict[str, Any], *, what: str) -> str:
    """Return the metrics, those of the peers, and the accuracy of every slice as two small tables.

    Args:
        metrics: What `metrics.json` holds.
        what: The rows that were judged, such as "test rows".
    """
    rows = [("this network", metrics), *metrics["peers"].items()]
    lines = [f"{'':<20} {'accuracy':>9} {'macro F1':>9}"]
    lines += [f"{name:<20} {figures(it)}" for name, it in rows]
    found = {f"{name}={value}": it for name, them in metrics["slices"].items() for value, it in them.items()}
    if found:
        width = max(20, *map(len, found))
        lines += ["", f"{'slice':<{width}} {'accuracy':>9} {'rows':>9}  95% interval"]
        lines += [
            f"{name:<{width}} {it['accuracy']:>9.4f} {it['rows']:>9}  {between(it['accuracy_interval'])}"
            for name, it in found.items()
        ]
    low_and_high = between(metrics["accuracy_interval"])
    return "\n".join([*lines, "", f"accuracy on {metrics['rows']} {what}: {low_and_high} (95% score interval)"])


def figures(found: dict[str, Any]) -> str:
    """Return the two figures of a model, or why there are none."""
    if "left_out" in found:
        return f"left out: {found['left_out']}"
    return f"{found['accuracy']:>9.4f} {found['macro_f1']:>9.4f}"


def between(interval: list[float]) -> str:
    """Return an interval in words."""
    low, high = interval
    return f"{low:.4f} to {high:.4f}"
