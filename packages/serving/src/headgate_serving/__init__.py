"""HTTP server for an exported model."""
