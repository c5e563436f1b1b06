"""Ray Tune alone, with the loop of `benchmarks.loop`, and the same search and seed: what a user would run instead.

    python -m benchmarks.peers.ray_loop TRIALS FOLDER [--reuse-actors]

By default Ray Tune starts a process for each trial, which imports torch; `reuse_actors` is off in its documentation.
"""

import sys

from ray import tune
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.hyperopt import HyperOptSearch

from benchmarks.loop import CONCURRENT, METRIC, SPACE, train


def main(trials: int, folder: str, *, reuse_actors: bool) -> None:
    search = HyperOptSearch(SPACE, metric=METRIC, mode="min", random_state_seed=0, n_initial_points=trials // 3)
    tuner = tune.Tuner(
        train,
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(search, CONCURRENT), num_samples=trials, reuse_actors=reuse_actors
        ),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    results = tuner.fit()
    assert len(results) == trials
    assert not results.errors


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], reuse_actors="--reuse-actors" in sys.argv)
