"""Lets Ray Tune read what earlier versions pickled, when tautune's modules had other names."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

NOW = {
    "cluster": "tautune.cluster",
    "cluster.distinct": "tautune.runners.no_repeats",
    "cluster.refit": "tautune.runners.refit",
    "cluster.scheduling": "tautune.runners.schedulers",
    "cluster.searching": "tautune.runners.searches",
    "cluster.tensorboard_log": "tautune.runners.tensorboard_log",
    "cluster.trial_table": "tautune.runners.trial_callback",
    "search_spaces": "tautune.search_spaces",
    "search_spaces.space": "tautune.search_spaces.space",
    "search_spaces.study": "tautune.search_spaces.tuning_study",
    "tautune.runners.trial_table": "tautune.runners.trial_callback",
}
"""Earlier name → present name, of every module that a tuning's pickles refer to."""


@contextmanager
def readable_pickles() -> Iterator[None]:
    """Makes the modules known by their earlier names, inside; modules of the user's with these names come back."""
    others = {name: sys.modules[name] for name in NOW if name in sys.modules}
    sys.modules |= {old: import_module(new) for old, new in NOW.items()}
    try:
        yield
    finally:
        for name in NOW:
            sys.modules.pop(name, None)
        sys.modules |= others
