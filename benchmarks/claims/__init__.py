"""Whether the paper's claims come true in trainings of a convolutional network: see `__main__.py`."""
