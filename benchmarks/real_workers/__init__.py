"""Whether theory knows the thresholds of real workers: see `__main__.py`."""
