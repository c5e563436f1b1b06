"""Whether `tautune advise` ranks optimizers and remedies as training does: see `__main__.py`."""
