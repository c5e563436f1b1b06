"""What a user may ask of real workers and of stages that cannot be done, and what the one line must say."""

WITH_WORKERS = {
    "tune digits_mlp --workers 0": "--workers must be an integer of at least 1, not 0",
    "tune digits_mlp --workers 4 --mode sometimes": "--mode must be as-they-come, round-robin, synchronous, wait:AGE,",
    "tune digits_mlp --workers 4 --slowdown 1,x": "--slowdown must be factors ≥ 1, separated by commas, not '1,x'",
    "tune digits_mlp --mode round-robin": "--mode is one of --workers; give their number too",
    "tune digits_mlp --stages 0": "--stages must be an integer of at least 1, not 0",
    "tune digits_mlp --stages 2 --workers 2": "--stages are those of a pipeline, and --workers those of a parameter",
    "tune digits_mlp --no-stashing": "--no-stashing is one of --stages; give their number too",
    "tune digits_mlp --stages 2 --cpus-per-stage -1": "--cpus-per-stage must be a finite number of at least 0, not -1",
    "sweep digits --workers 4 --delays 0,1": "--delays are fixed ones; leave them out beside --workers",
}
