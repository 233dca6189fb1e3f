"""Commands of `python -m aecore` that have a file of their own."""
