"""Re-prove exactly what a change can reach in a machine learning monorepo."""

__all__: list[str] = []
