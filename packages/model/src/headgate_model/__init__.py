"""Network, training, evaluation and export."""
