"""What `advise` says, and that each of its snippets trains at the learning rate that it names."""

from typing import Any

import pytest
import torch

import tautune
from tautune.trainables.theory.advice import Advice, advise, e_fold_steps
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizer_names import BY_NAME

DELAYS: dict[str, Any] = {
    "fixed": 2,
    "drawn": {0: 0.5, 1: 0.3, 4: 0.2},
    "stages": Delays.stages([0, 1, 2]),
    "recorded": [0, 20, 3, 1] * 5,
}


@pytest.mark.parametrize("kind", DELAYS)
def test_each_snippet_runs_with_a_users_own_loop(kind: str) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(32, 4)
    targets = inputs.sum(dim=1, keepdim=True)
    for row in advise(DELAYS[kind]):
        model = torch.nn.Sequential(
            torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2), torch.nn.Linear(2, 1)
        )
        names: dict[str, Any] = {
            "tautune": tautune,
            "torch": torch,
            "model": model,
            "sharpness": 1e4,  # small steps, so that nothing but the code can go wrong
            "recorded": DELAYS["recorded"],
        }
        step = "\n    loss = (model(inputs) - targets).square().mean()\n    loss.backward()\noptimizer.step()"
        code = row.code + (step if "predicted()" in row.code else step.replace("    ", "")) + "\noptimizer.zero_grad()"
        before = [parameter.detach().clone() for parameter in model.parameters()]
        names |= {"inputs": inputs, "targets": targets}
        setup, _, body = code.partition("\nwith " if "predicted()" in code else "\nloss")
        exec(setup, names)
        for _ in range(DELAYS["recorded"][1] + 5):
            exec(("with " if "predicted()" in code else "loss") + body, names)
        after = list(model.parameters())
        assert all(not torch.equal(one, other) for one, other in zip(before, after, strict=True)), row.code
        assert all(bool(parameter.isfinite().all()) for parameter in after), row.code


def test_a_snippet_on_a_quadratic_is_as_fast_as_its_row_says() -> None:
    """x ← the snippet's optimizer on λ x²/2: after the first steps it shrinks at the row's rate, or about."""
    λ, delay = 3.0, 4
    for row in advise(delay, sharpness=λ):
        if row.optimizer in ("adam", "adamw", "nadam", "rmsprop") or "compensate" in row.remedy:
            continue  # their curvature is another one than λ
        model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        names: dict[str, Any] = {"tautune": tautune, "torch": torch, "model": model}
        if row.optimizer == "dampened-momentum" or e_fold_steps(row) > 40:
            continue  # slow, or tried as another one
        setup, predicts, _ = row.code.partition("\nwith ")
        exec(setup, names)
        optimizer, sizes = names["optimizer"], []
        long = int(25 * e_fold_steps(row))
        for _ in range(long + 40):
            if predicts:
                with optimizer.predicted():
                    (λ / 2 * model.weight.square().sum()).backward()
            else:
                (λ / 2 * model.weight.square().sum()).backward()
            optimizer.step()
            optimizer.zero_grad()
            sizes.append(abs(model.weight.item()))
        rate = torch.tensor(max(sizes[long : long + 40]) / max(sizes[long // 2 : long // 2 + 40])).log() / (
            long - long // 2
        )
        assert float(rate) == pytest.approx(row.decay, rel=0.2), row


def test_rows_are_those_of_their_loops_the_largest_first() -> None:
    rows = advise(4, momentum=0.8)
    assert {row.optimizer for row in rows} == set(BY_NAME)
    order = [(row.warning is not None, -row.threshold_at_unit_gain) for row in rows]
    assert order == sorted(order)
    assert {warned for warned, _ in order} == {True, False}
    for row in rows[::4]:
        m = row.momentum if row.momentum else 0.0
        assert m == (0.0 if row.optimizer in ("sgd", "rmsprop") else 0.8)
        loop = TrainingLoop(row.optimizer, 4, [] if row.remedy == "none" else [row.remedy], momentum=m)
        assert row.threshold == loop.threshold
        assert row.threshold_at_unit_gain == pytest.approx(loop.threshold_at_unit_gain)
        assert (row.best_step, row.decay) == loop.fastest_decay


def test_the_snippet_of_stages_has_as_many_as_there_are_with_their_delays() -> None:
    model = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(4)))
    row = the(advise(Delays.stages([0, 0, 3, 2]), optimizer="sgd"), "sgd", "none")
    names: dict[str, Any] = {"tautune": tautune, "torch": torch, "model": model, "sharpness": 1.0}
    exec(row.code, names)
    assert names["optimizer"].longest_delays == (0, 0, 3, 2)


def the(rows: list[Advice], optimizer: str, remedy: str) -> Advice:
    (found,) = [row for row in rows if row.optimizer == optimizer and row.remedy == remedy]
    return found


def test_warnings_say_where_predicting_and_momentum_hurt() -> None:
    rows = advise(32)
    assert "predicting lowers the threshold from 0.0406 to 0.0329" in (the(rows, "adam", "predict:32").warning or "")
    assert "momentum 0.9 lowers the threshold from 0.0483 to 0.0406" in (the(rows, "adam", "none").warning or "")
    assert the(rows, "shifted-momentum", "none").warning is None
    assert "half of the exact curvature" in (the(rows, "sgd", "compensate:0.5").warning or "")


def test_a_prediction_of_one_step_has_no_shorter_one() -> None:
    warning = the(advise(1), "sgd", "predict:1").warning
    assert warning == "predicting lowers the threshold from 1 to 0.618"


def test_warnings_bound_what_random_delays_are_ranked_by() -> None:
    rows = advise([(7 * t) % 23 for t in range(230)])  # prediction raises sgd's threshold in the mean
    plain, predicted = the(rows, "sgd", "none"), the(rows, "sgd", "predict:11")
    assert predicted.threshold > plain.threshold
    assert (predicted.mean_square_threshold or 0) < (plain.mean_square_threshold or 0)
    assert "predicting lowers the threshold from 0.192 to 0.0848" in (predicted.warning or "")
    assert the(rows, "nadam", "predict:11").warning is None


def test_without_a_delay_there_is_nothing_to_remedy() -> None:
    rows = advise(0)
    assert {row.remedy for row in rows} == {"none"}
    assert len(rows) == len(BY_NAME)


def test_random_delays_are_judged_by_the_mean_square() -> None:
    rows = advise({0: 0.5, 4: 0.3, 9: 0.2}, optimizer="spike-compensation")
    for row in rows:
        assert row.mean_square_threshold is not None
        assert row.best_step <= 0.5 * row.mean_square_threshold * (1 + 1e-12)
    by_square = [row.mean_square_threshold for row in rows if not row.warning]
    assert by_square == sorted(by_square, reverse=True)  # type: ignore[type-var]


def test_memory_is_in_copies_of_the_parameters() -> None:
    rows = advise(8)
    assert (the(rows, "adamw", "none").memory.optimizer, the(rows, "sgd", "none").memory.optimizer) == (2, 0)
    assert the(rows, "shifted-momentum", "none").memory.optimizer == 9
    assert the(rows, "sgd", "predict:8").memory.remedy == 2
    assert the(rows, "sgd", "compensate:0.5").memory.remedy == 9


def test_without_momentum_the_optimizers_that_need_one_are_left_out() -> None:
    assert {row.optimizer for row in advise(4, momentum=0.0)} == {
        "sgd",
        "dampened-momentum",
        "nadam",
        "adam",
        "adamw",
        "rmsprop",
    }
