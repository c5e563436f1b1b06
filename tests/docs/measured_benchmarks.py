"""What the page of benchmarks says, made from the files that its numbers came from; see `measured.py`."""

from collections.abc import Iterator
from statistics import fmean, median, stdev

import numpy as np

from tests.docs.measured import listed, percent, read


def tuned() -> Iterator[str]:
    runs = read("digits_mlp.json")["runs"]
    reached, seconds = ([run[name] for run in runs] for name in ("validation_accuracy", "seconds"))
    yield (
        f"{percent(fmean(reached), 1)} ± {percent(stdev(reached), 1)} % validation, "
        f"{percent(fmean(run['test_accuracy'] for run in runs), 1)} % test, "
        f"in {fmean(seconds):.0f} s ({min(seconds):.0f} to {max(seconds):.0f})"
    )
    fashion = read("fashion_mnist.json")
    grid, best, test = fashion["grid"], fashion["grid"]["best"], fashion["test_accuracy"]
    yield f"12 epochs each: {grid['training_epochs']} epochs"
    yield (
        f"{percent(grid['validation_accuracy'])} % validation at η = {best['learning_rate']}, mini-batch "
        f"{best['batch_size']}, epoch {best['epochs']}"
    )
    epochs = [search["training_epochs"] for search in fashion["searches"]]
    found = [search["validation_accuracy"] for search in fashion["searches"]]
    yield f"after {listed(fashion['epochs_to_the_grids_best']['epochs'])} epochs, summed over all trials"
    yield (
        f"at the end ({min(epochs)} to {max(epochs)} epochs) {percent(fmean(found), 1)} ± {percent(stdev(found), 1)} % "
        f"validation, {percent(test['mean'], 1)} ± {percent(test['standard_deviation'], 1)} % test after `refit` "
        f"({percent(min(test['values']))} to {percent(max(test['values']))})"
    )
    yield from _population()
    yield from _all_networks()


def _population() -> Iterator[str]:
    pbt = read("fashion_mnist_pbt.json")
    epochs = [run["training_epochs"] for run in pbt["populations"]]
    together, alone = ([run["validation_accuracy"] for run in pbt[name]] for name in ("populations", "alone"))
    yield f"3 seeds, {min(epochs)} to {max(epochs)} epochs"
    [each] = {run["training_epochs"] for run in pbt["alone"]}
    yield (
        f"{percent(fmean(together))} ± {percent(stdev(together))} % validation; 8 random configurations left alone for "
        f"{each} epochs: {percent(fmean(alone))} ± {percent(stdev(alone))} %"
    )


def _all_networks() -> Iterator[str]:
    networks = read("fashion_mnist_cnn_grid.json")
    epochs = [search["training_epochs"] for search in networks["searches"]]
    near = networks["epochs_to_the_grids_best_less_0.2_points"]
    shares = near["share_of_the_grids"]
    yield f"243 networks on 10,000 images, {networks['grid']['training_epochs']:,} epochs"
    yield (
        f"{percent(networks['grid']['validation_accuracy'])} % validation; HyperOpt + ASHA with 50 trials, 3 seeds: "
        f"{listed([percent(search['validation_accuracy']) for search in networks['searches']])} % in {min(epochs)} to "
        f"{max(epochs)} epochs, within 0.2 points of the grid after {listed(near['epochs'])} "
        f"({percent(min(shares), 0)} to {percent(max(shares), 0)} %)"
    )


def studies() -> Iterator[str]:
    text = read("python_bytes.json")
    five, six = (text["baseline"][order]["test_bits_per_byte"] for order in ("5", "6"))
    assert max(text["test_bits_per_byte"]["values"]) < five
    assert text["test_bits_per_byte"]["mean"] > six
    yield "better on the test than Kneser-Ney 5-grams with each seed, and not better than 6-grams on average"
    yield f"{read('python_bytes-0/test.json')['training_examples'] / 1e6:.1f} MB to train on"
    definitions = read("wordnet.json")
    assert min(definitions["test_accuracy"]["values"]) > definitions["baseline"]["test_accuracy"]
    yield "better than TF-IDF and a logistic regression on the test with each seed"
    seconds = text["seconds"]["values"]
    yield f"A tuning took {min(seconds):.0f} to {max(seconds):.0f} s"


def speed() -> Iterator[str]:
    sweep, edge, tune = (read(f"{name}.json") for name in ("sweep", "threshold", "tune"))
    seconds, ratios = sweep["medians_seconds"], sweep["ratios"]
    ours = f"{seconds['tautune']:.1f}"
    yield f"{ours} s | Ray Tune's grid, one function trial per point: {seconds['ray_grid']:.0f} s"
    yield f"| {ratios['ray_grid']:.0f} × |"
    yield f"a process a core: {seconds['torch_loop']:.1f} s | {ratios['torch_loop']:.1f} ×"
    yield f"a process a core: {seconds['torch_loop_by_hand']:.1f} s | {ratios['torch_loop_by_hand']:.1f} ×"
    yield f"takes most of those {ours} seconds"
    alone, together = (sweep["seconds_of_a_points_step_by_number_at_once"][number] for number in ("1", "64"))
    yield f"takes {1e6 * alone:.0f} µs alone, and {1e6 * together:.0f} µs where 64 train at once"
    total = edge["total"]
    yield (
        f"{total['tautune_gradients']:,.0f} gradients, {total['tautune_seconds']:.1f} s | the published grid of "
        f"learning rates, fine enough for 8 %: {total['published_grid_gradients']:,} gradients, "
        f"{total['published_grid_seconds']:.1f} s | {edge['ratios']['published_grid_gradients']:.0f} ×, "
        f"{edge['ratios']['published_grid_seconds']:.0f} ×"
    )
    seconds, ratios = tune["medians_seconds"], tune["ratios"]
    yield (
        f"{seconds['tautune']:.1f} s | Ray Tune's tutorial: {seconds['ray_tutorial']:.0f} s; a PyTorch script: "
        f"{seconds['torch_script']:.0f} s | {ratios['ray_tutorial']:.1f} ×, {ratios['torch_script']:.1f} ×"
    )
    largest = read("scale.json")["rows"][-1]
    yield f"a grid of {largest['points']:,} points of 20 steps"
    yield f"a point costs {1e3 * largest['seconds_a_point']:.2f} ms"
    yield f"the driver holds {largest['driver_bytes'] / 2**20:.0f} MiB"
    yield from _steps()


def _steps() -> Iterator[str]:
    step = read("step.json")
    assert all(row["gradients_held"] == row["delay"] for row in step["rows"])
    ratios = {size: [row["ratio"] for row in step["rows"] if row["parameters"] == size] for size in (2410, 10_087_210)}
    small, large = ratios.values()
    yield f"takes {min(large):.2f} to {max(large):.2f} times as long as with the bare optimizer for τ = 1 to 128"
    yield f"for 2,410 parameters it is {min(small):.2f} to {max(small):.2f} times"
    late = median(row["queued_seconds"] - row["bare_seconds"] for row in step["rows"] if row["parameters"] == 2410)
    yield f"which is {1e6 * late:.0f} µs"
    loop = read("loop.json")
    seconds, ratios = loop["medians_seconds"], loop["ratios"]
    yield (
        f"{seconds['tautune']:.1f} s | Ray Tune alone: {seconds['ray_tune']:.1f} s; with `reuse_actors=True`: "
        f"{seconds['ray_tune_reusing_actors']:.1f} s | {ratios['ray_tune']:.1f} ×, "
        f"{ratios['ray_tune_reusing_actors']:.1f} ×"
    )
    streaming = read("streaming.json")
    passed = f"{streaming['passed_mib'] / 1024:.0f} GiB of batches passed"
    yield f"Memory grew by {streaming['grown_mib']:.1f} MiB while {passed}"
    yield f"took {streaming['ratios']['bare_loop']:.2f} times the processor's time"
    yield from _simulated()


COLUMNS = (
    *("hyperopt + asha", "optuna-tpe + asha", "HyperOpt alone", "Optuna alone", "Optuna alone, pruned", "random"),
)


def _simulated() -> Iterator[str]:
    simulate = read("simulate.json")
    for place, seconds in enumerate(simulate["times_seconds"]):
        regrets = [percent(simulate["median_regret"][column][place]) for column in COLUMNS]
        yield f"| {seconds:.0f} | {' | '.join(regrets)} |"
    worse = [simulate[f"worse_than_{name} alone"] for name in ("HyperOpt", "Optuna")]
    yield f"at {percent(1 - max(each['share'] for each in worse), 0)} % of the times and more"
    first, last = (pick(each["from_to"][end] for each in worse) for end, pick in ((0, min), (1, max)))
    yield f"between {first:.0f} and {last:.0f} s"


def asynchronous() -> Iterator[str]:
    for row in read("asynchronous.json")["rows"]:
        speeds = row["updates_per_second"].values()
        ours, rays, flat, alone = (f"{speed:.0f}" for speed in speeds)
        slower, than_flat, share = row["ratios"].values()
        which = ", which is" if row["model"] == "digits MLP" else ","
        moved = f"{row['bytes_per_update']:,.0f}, {row['least_bytes_per_update']:,}"
        more = " slower" if row["model"] == "digits MLP" else ""
        yield (
            f"| {row['model']} | {ours} | {rays}{which} {slower:.1f} ×{more} | {flat}, {than_flat:.1f} × | {alone} | "
            f"{moved} |"
        )
    yield f"come {slower / share:.1f} and {than_flat / share:.1f} times as fast"
    yield f"tautune makes {percent(share, 0)} % of that many updates"


def reliability() -> Iterator[str]:
    load = read("load.json")
    rows, growing = load["rows"], load["growth"]
    last = rows[-1]
    trials, seconds = ([row[name] for row in rows] for name in ("trials", "seconds"))
    first, before_last = (float(np.interp(done, trials, seconds)) for done in (1000, trials[-1] - 1000))
    yield f"the driver's memory grows by {growing['driver_mib']:.0f} MiB for every 1,000 trials"
    yield f"to {last['driver_mib'] / 1024:.1f} GiB"
    yield f"the folder by {growing['folder_mib']:.0f} MiB, to {last['folder_mib']:.0f} MiB"
    yield f"Ray's own processes grow by {growing['ray_mib']:.0f} MiB"
    assert all(abs(growing[name]) < 1 for name in ("driver_files", "processes"))
    yield f"The last 1,000 trials took {seconds[-1] - before_last:.0f} s"
    yield f"the first 1,000 took {first - seconds[0]:.0f} s"
