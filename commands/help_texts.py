"""How `--help` groups commands and options, and what it shows of each in use."""

MEASURE = "Measure and tune"
RESULTS = "Look at what was found"
THEORY = "Theory, without a run"
CLUSTER = "On a cluster"
LATE = "How late the gradients are"
UPDATE = "The optimizer"
MEASUREMENT = "The measurement"

EXAMPLES = {
    "sweep": (
        "tautune sweep digits",
        "tautune sweep digits --delays 0,2,8 --momentum 0.9 --output results/momentum",
        "tautune sweep path/to/my_study.py --mini-batch 256 --seeds 3",
    ),
    "grid": (
        "tautune grid digits --mini-batch 32",
        "tautune grid digits --delays 0,8 --learning-rates 1e-3:1:16 --seeds 3",
    ),
    "tune": (
        "tautune tune digits_mlp",
        "tautune tune digits_mlp --trials 50 --set delay=8 --time-budget 600",
        "tautune tune path/to/my_study.py --search optuna-tpe --scheduler none",
    ),
    "resume": ("tautune resume results/digits_mlp",),
    "extend": ("tautune extend results/digits_mlp --trials 10", "tautune extend results/digits_mlp --longer 20"),
    "refit": ("tautune refit results/digits_mlp",),
    "predict": ("tautune predict results/digits_mlp picture.png",),
    "results": (
        "tautune results results/digits_mlp --top 3",
        "tautune results results/digits_mlp --sort -learning_rate",
        "tautune results results/digits_mlp --importance",
    ),
    "simulate": ("tautune simulate results/digits_mlp --search random --scheduler none --scheduler asha",),
    "report": ("tautune report results/digits", "tautune report results/digits --figures figures"),
    "compare": (
        "tautune compare results/digits_mlp results/with_workers",
        "tautune compare results/edge-digits_squared-sgd results/edge-digits_squared-adam",
    ),
    "transfer": (
        "tautune transfer results/digits_mlp --delay 8",
        "tautune transfer results/digits_mlp --delays-from trace.csv --json",
    ),
    "probe": (
        "tautune probe digits --delays 0,8",
        "tautune probe path/to/my_study.py --checkpoint model.pt --optimizer adamw",
        "tautune probe digits --learning-rate 0.1 --mini-batch 256 --output results/probe",
    ),
    "edge": ("tautune edge", "tautune edge path/to/my_study.py --optimizer adam --delays 0,2,8"),
    "board": ("tautune board results/digits", "tautune board results --port 0"),
    "studies": ("tautune studies", "tautune studies --json"),
    "threshold": (
        "tautune threshold --delay 8 --sharpness 2.5",
        "tautune threshold --optimizer adamw --delay-shares 0:0.5,4:0.5",
    ),
    "advise": ("tautune advise --delay 8", "tautune advise --delay 8 --optimizer nesterov --sort decay"),
    "doctor": ("tautune doctor", "tautune doctor --cluster cluster.yaml --gpus-per-trial 1"),
    "submit": ("tautune submit -- sweep digits --delays 0,1", "tautune submit --follow -- tune digits_mlp"),
}
"""Commands as one would type them; a test reads each of them."""


def examples(command: str) -> str:
    """Returns the lines that stand below a command's options."""
    return "\n  ".join(["Examples:", *EXAMPLES[command]])
