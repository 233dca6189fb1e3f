"""Numbers from arrays, and honest tables from a checkpoint."""
