"""Shows what an evaluation came to."""

from __future__ import annotations

from typing import Any

__all__ = ["table"]


def table(metrics: dict[str, Any]) -> str:
    """Return the metrics and those of the peers as a small table."""
    rows = [("this network", metrics), *metrics["peers"].items()]
    lines = [f"{'':<20} {'accuracy':>9} {'macro F1':>9}"]
    lines += [f"{name:<20} {it['accuracy']:>9.4f} {it['macro_f1']:>9.4f}" for name, it in rows]
    low, high = metrics["accuracy_interval"]
    lines.append(f"accuracy on {metrics['rows']} test rows between {low:.4f} and {high:.4f} (95% bootstrap)")
    return "\n".join(lines)
