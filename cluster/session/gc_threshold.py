"""Imported first in a process of many imports: their objects stay, and looking through them takes half a second."""

import gc

gc.set_threshold(50_000)
