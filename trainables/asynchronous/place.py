"""Where Ray puts the processes that train together."""

from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


def place_of(number: int) -> Any:
    """Returns the scheduling strategy of one of several processes that train together.

    Inside a placement group of Ray Tune's, whose first bundle is the trial's own, process n takes the bundle n+1; else
    they are spread over the hosts.
    """
    bundles = ray.util.get_current_placement_group()
    return PlacementGroupSchedulingStrategy(bundles, number + 1) if bundles else "SPREAD"
