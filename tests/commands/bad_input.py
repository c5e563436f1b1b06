"""What a user may type that cannot be used, and what the one line that answers it must say."""

import json
from pathlib import Path

BAD = {
    "threshold --delay -1": "delay must be an integer ≥ 0 (optimizer steps), not -1",
    "threshold --delay 1.5": "Invalid value for '--delay'",
    "threshold --delay 1 --momentum 1": "momentum must be at least 0 and below 1, not 1.0",
    "threshold --delay 1 --momentum nan": "momentum must be at least 0 and below 1, not nan",
    "threshold --delay 1 --sharpness 0": "sharpness must be a finite number above 0, not 0.0",
    "threshold": "Missing option '--delay'",
    "threshold --delay 1 --momentun 0.9": "No such option: --momentun",
    "frobnicate": "No such command 'frobnicate'",
    "sweep": "Missing argument",
    "sweep digit": "study 'digit' is unknown; did you mean digits?",
    "sweep digits --delays ,": "--delays must be integers ≥ 0, separated by commas, such as 0,1,2,4,8, not ','",
    "sweep digits --delays 1,-2": "'-2' is not one",
    "sweep digits --delays 1,2.5": "'2.5' is not one",
    "sweep digits --momentum 1.5": "momentum must be at least 0 and below 1, not 1.5",
    "sweep digits --shifted": "shifted momentum delays the velocity, so it needs a momentum above 0",
    "sweep digits --resolution 0": "--resolution must be between 1e-5 and 0.5, not 0",
    "sweep digits --budget 0": "--budget must be at least 1, not 0",
    "sweep digits --seeds 3": "--seeds must be combined with mini-batches: a full batch has no order to vary",
    "sweep digits --mini-batch 10 --seeds 1": "--seeds must be at least 2, for an uncertainty, not 1",
    "sweep digits --delays 1000000": "--delays must be below a million; 1000000 is not",
    f"threshold --delay 1{'0' * 400}": "delay must be at most 1e15",
    "threshold --delay 1 --sharpness 1e-320": "too small for a finite learning rate",
    "board . --port 99999": "Invalid value for '--port'",
    "sweep digits --mini-batch 0": "--mini-batch must be between 1 and the 1797 examples of digits, not 0",
    "sweep digits --mini-batch 5000": "--mini-batch must be between 1 and the 1797 examples of digits, not 5000",
    "sweep digits --first-guess x": "--first-guess must be a number between 1e-6 and 1e6, or none, not 'x'",
    "sweep digits --tolerance 1": "--tolerance must be between 1e-12 and 0.1, not 1.0",
    "sweep digits --resolution nan": "--resolution must be between 1e-5 and 0.5, not nan",
    "sweep digits_mlp": "study digits_mlp is for `tautune tune`",
    "sweep digits --device tpu": "--device must be cpu, cuda or auto, not 'tpu'",
    "sweep digits --output a_file": "a_file is a file; give a folder",
    "sweep digits --output other": "holds files but no run.json",
    "sweep digits --output damaged": "run.json is damaged: not JSON",
    "sweep digits --output listed": "run.json is damaged: Expected `object`, got `array`",
    "sweep digits --output /proc/none": "/proc/none cannot be written",
    "grid digit": "study 'digit' is unknown; did you mean digits?",
    "grid digits --delays 1,x": "'x' is not one",
    "grid digits --learning-rates 0": "--learning-rates must be a count from 1 to a million, or a list of them, not 0",
    "grid digits --learning-rates 0.1,-1": "all above 0 and at most 1e+38, not '0.1,-1'",
    "grid digits --learning-rates 0.1:1e39:4": "all above 0 and at most 1e+38, not '0.1:1e39:4'",
    "grid digits --learning-rates 1:0.1:4": "in '1:0.1:4' the first number is not below the second",
    "grid digits --learning-rates 0.1:1:1": "or the third is not above 1",
    "grid digits --steps 0": "--steps must be at least 1, not 0",
    "grid digits --learning-rates 2000000": "must be a count from 1 to a million, or a list of them, not 2000000",
    "grid digits --seeds 0": "--seeds must be at least 1, not 0",
    "grid digits --momentum 1": "momentum must be at least 0 and below 1, not 1.0",
    "grid digits --shifted": "shifted momentum delays the velocity, so it needs a momentum above 0",
    "grid digits --mini-batch 5000": "--mini-batch must be between 1 and the 1797 examples of digits, not 5000",
    "grid digits --points-per-trial many": "--points-per-trial must be a whole number above 0, or auto, not 'many'",
    "grid digits --device tpu": "--device must be cpu, cuda or auto, not 'tpu'",
    "grid quadratic --output other": "holds files but no run.json",
    "grid quadratic --output swept": "swept holds a grid with study = 'digits', not 'quadratic'",
    "tune": "Missing argument",
    "tune digits": "study digits is for `tautune sweep` and `tautune grid`",
    "tune digits_mlp --search hyperop": "search 'hyperop' is unknown; did you mean hyperopt",
    "tune digits_mlp --scheduler ash": "scheduler 'ash' is unknown; did you mean asha",
    "tune digits_mlp --search grid": "search grid needs choices, and learning_rate is a range",
    "tune digits_mlp --scheduler pbt": "scheduler pbt moves configurations itself; use it with search random",
    "tune digits_mlp --search random --scheduler pb2": "batch_size is none; fix its value, or use pbt",
    "tune optimizers --search de": "search de moves through ranges, and the space has none; use hyperopt or grid",
    "tune digits_mlp --search psi": "search 'psi' is unknown; did you mean pso",
    "tune digits_mlp --set delya=8": "hyperparameter 'delya' is unknown; did you mean delay",
    "tune digits_mlp --set delay=-8": "delay must be an integer ≥ 0 (optimizer steps), not -8",
    "tune digits_mlp --set delay": "--set takes NAME=VALUE, as in --set delay=8, not 'delay'",
    "tune digits_mlp --set dropout=2": "dropout must be in [0, 1], not 2",
    "tune digits_mlp --set layers=9": "units must be 9 widths for 9 layers",
    "tune digits_mlp --set flip=False": "flip must be true or false, not 'False'",
    "tune digits_mlp --set batch_norm=no": "batch_norm must be true or false, not 'no'",
    "tune digits_mlp --set learning_rate=abc": "learning_rate cannot be 'abc', a str",
    "tune digits_mlp --set optimizer=[1]": "optimizer must be one of sgd, momentum",
    "tune digits_mlp --set dropout=NaN": "--set takes finite numbers, not NaN",
    "tune digits_mlp --examples 5": "the images of digits_mlp cannot be divided so",
    "tune digits_mlp --folds 500": "folds must be at most",
    "tune digits_mlp --seed 5000000000": "Invalid value for '--seed'",
    "tune digits_mlp --output a[1]": "has one of * ? [ in it",
    "tune optimizers --trials 3": "trials must be left out with the search grid",
    "tune digits_mlp --trials 0": "--trials must be above 0, and finite, not 0",
    "tune digits_mlp --trails 3": "No such option: --trails",
    "tune digits_mlp --folds 0": "Invalid value for '--folds'",
    "tune digits_mlp --time-budget 0": "--time-budget must be above 0, and finite, not 0",
    "tune digits_mlp --gpus-per-trial 1.5": "--gpus-per-trial must be a share of one GPU or a whole number, not 1.5",
    "tune digits_mlp --output a_file": "a_file exists and is not an empty folder; give a new one",
    "tune digits_mlp --output damaged": "damaged holds a run; go on with it by `tautune resume`",
    "tune mnist_cnn_grid --data-dir nowhere": "there is no folder nowhere to look for mnist in",
    "tune nowhere.py": "there is no study file nowhere.py",
    "tune a_study.py": "a_study.py must set STUDY to a StabilityStudy, TuningStudy or LoopStudy, not int",
    "resume other": "other holds no run.json; give a folder that a run of tautune wrote",
    "extend other --trials 3": "other holds no run.json",
    "results damaged": "run.json is damaged: not JSON",
    "results old": "old was written by another version of tautune (0.0.9): its format is 1, and this one reads 2",
    "results swept": "swept holds no tuning",
    "refit other": "other holds no run.json",
    "predict other x.png": "there is no other/model.pt; make it with `tautune refit other`",
    "predict swept x.png": "swept holds no tuning",
    "predict broken x.png": "broken/model.pt is damaged, or not a model of tautune",
    "tune digits_mlp --time-budget inf": "--time-budget must be above 0, and finite, not inf",
    "extend partial --trials 2": "run.json is damaged: Object missing required field `study`",
    "results partial": "run.json is damaged: Object missing required field `study`",
    "board nowhere": "there is no folder nowhere",
}


def prepare(folder: Path) -> None:
    """Fills a folder with what the commands of `BAD` speak of."""
    (folder / "a_file").write_text("mine")
    for name, file, text in (("other", "mine.txt", ""), ("damaged", "run.json", "{"), ("listed", "run.json", "[]")):
        (folder / name).mkdir()
        (folder / name / file).write_text(text)
    (folder / "old").mkdir()
    old = {"configuration": {"kind": "tuning"}, "versions": {"tautune": "0.0.9"}}
    (folder / "old" / "run.json").write_text(json.dumps(old))
    (folder / "swept").mkdir()
    (folder / "swept" / "run.json").write_text('{"configuration": {"study": "digits"}}')
    (folder / "partial").mkdir()
    (folder / "partial" / "run.json").write_text('{"configuration": {"kind": "tuning", "format": 2}}')
    (folder / "broken").mkdir()
    (folder / "broken" / "model.pt").write_bytes(b"PK\x03\x04 no model")
    (folder / "a_study.py").write_text("STUDY = 1")
