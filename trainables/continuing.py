"""How a trial goes on that an earlier process began, or how it ends."""

CONTINUES = "tautune.continues"
"""Key in a configuration under which a trial finds from where it goes on: `checkpoint`, a folder or None, `epochs`,
which an earlier process has reported, `longer`, the epochs that it trains more than the others, and for one that is
given up, `failure`, which it reports at once as its own."""
CHECKPOINT_SECONDS = 10.0
"""Training in seconds between two checkpoints: a lost machine costs at most these, and one epoch."""
