"""Makes garbage collection rare; imported before anything else.

The objects that imports make stay for good, and looking through them again and again takes half a second.
"""

import gc

gc.set_threshold(50_000)
