"""What a tuning without delay is worth at a delay: see `__main__.py`."""
