"""Other optimizers, delays and remedies at a minimum: theory beside measurement, and what cannot be measured."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tautune
from tautune.search_spaces.quadratic import STUDY
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.threshold.in_process import measure_in_process
from tautune.trainables.threshold.late_optimizer import late_optimizer, shares_of_stages
from tautune.trainables.threshold.record import MeasurementRecord, Settings
from tautune.trainables.threshold.update import Update, asked

RESOLUTION = 0.005


def measured(study: StabilityStudy, update: Update, delay: int, **options: Any) -> tuple[float, tuple[Any, ...]]:
    """aη at the measured threshold, and the records."""
    minimum, records = measure_in_process(study.problem(), [delay], update=update, resolution=RESOLUTION, **options)
    rates = [record.threshold.learning_rate for record in records if record.threshold]
    return float(np.mean(rates)) * minimum.sharpness, records


@pytest.mark.parametrize(
    ("update", "delay"),
    [
        (Update(optimizer="sgd", momentum=0.5), 2),
        (Update(optimizer="dampened-momentum"), 4),
        (Update(optimizer="nesterov"), 0),
        (Update(optimizer="nesterov"), 4),
        (Update(optimizer="shifted-momentum", momentum=0.5), 2),
        (Update(optimizer="spike-compensation"), 4),
        (Update(optimizer="sgd", momentum=0.9, remedy="predict"), 2),
        (Update(remedy="predict:1"), 2),
        (Update(optimizer="nesterov", momentum=0.5, remedy="predict:2"), 1),
    ],
    ids=str,
)
@pytest.mark.usefixtures("one_thread")
def test_what_is_measured_is_what_theory_says(update: Update, delay: int) -> None:
    step, _ = measured(STUDY, update, delay)
    assert step == pytest.approx(update.loop(delay).threshold, rel=1e-5)


class TwoParts(nn.Module):
    """A linear function of four numbers, two of which belong to each stage."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        sum_of_both: Tensor = self.first(inputs[:, :2]) + self.second(inputs[:, 2:])
        return sum_of_both


def two_parts() -> StabilityStudy:
    inputs = torch.randn(60, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inputs = inputs @ torch.tensor([[1.0, 0.9, 0.5, 0.2], [0, 1, 0.3, 0.8], [0, 0, 1, 0.5], [0, 0, 0, 1]]).double()
    return StabilityStudy(
        name="two_parts",
        data=(inputs, inputs.sum(dim=1, keepdim=True)),
        model=TwoParts,
        loss=lambda outputs, targets: 0.5 * (outputs - targets).square().mean(),
    )


def exact_threshold(hessian: np.ndarray[Any, Any], delays: list[int], high: float) -> float:
    """η at which x[t+1] = x[t] - η Σ_j H e_j e_jᵀ x[t - τ_j] gets a root of modulus 1, by its companion matrix."""
    n, longest = len(delays), max(delays)

    def radius(η: float) -> float:
        matrix = np.zeros((n * (longest + 1), n * (longest + 1)))
        matrix[n:, :-n] = np.eye(n * longest)
        matrix[:n, :n] = np.eye(n)
        for row, delay in enumerate(delays):  # stage j uses its gradient of τ_j steps ago, at all weights of then
            matrix[row, n * delay : n * (delay + 1)] -= η * hessian[row]
        return float(np.abs(np.linalg.eigvals(matrix)).max())

    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if radius(middle) <= 1 + 1e-12 else (low, middle)
    return low


@pytest.mark.parametrize("stages", [(1, 0), (3, 1), (0, 2)])
@pytest.mark.usefixtures("one_thread")
def test_stages_are_measured_as_the_whole_recursion_has_them(stages: tuple[int, int]) -> None:
    study = two_parts()
    step, (record,) = measured(study, Update(stages=stages), max(stages))
    inputs = study.examples()[0].numpy()
    hessian = inputs.T @ inputs / len(inputs)
    late = [stages[0]] * 2 + [stages[1]] * 2
    λ = float(np.linalg.eigvalsh(hessian)[-1])
    assert step / λ == pytest.approx(exact_threshold(hessian, late, high=2 / λ), rel=1e-4)
    shares = record.settings.update.shares
    u = np.linalg.eigh(hessian)[1][:, -1]
    assert shares == pytest.approx((np.square(u[:2]).sum(), np.square(u[2:]).sum()), rel=1e-6)


@pytest.mark.usefixtures("one_thread")
def test_delays_that_are_drawn_have_an_uncertainty_from_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tautune.trainables.threshold.passages.STEPS_OF_VARYING_DELAYS", 300)
    update = Update(drawn=((1, 0.5), (2, 0.5)))
    step, records = measured(STUDY, update, 2, seeds=2)
    assert step == pytest.approx(update.loop(2).threshold, rel=0.1)
    assert len({record.threshold.learning_rate for record in records}) == 2


@pytest.mark.parametrize(
    "update",
    [Update(optimizer="nesterov"), Update(remedy="predict:3", drawn=((0, 0.25), (7, 0.75))), Update(stages=(2, 1, 0))],
    ids=str,
)
def test_settings_come_back_from_json(update: Update) -> None:
    settings = Settings(delay=update.longest or 4, update=update.with_shares((0.5, 0.25, 0.25)))
    record = MeasurementRecord(settings=settings)
    back = MeasurementRecord.from_json(json.loads(json.dumps(record.as_json()))).settings
    assert back.update is not None
    assert back == replace(settings, update=replace(settings.update, momentum=back.update.m))  # type: ignore[type-var]


def test_without_an_update_the_files_are_as_before() -> None:
    assert "update" not in Settings(delay=1).as_json()


def test_parameters_that_stay_fixed_are_in_no_stage() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].bias.requires_grad_(False)
    study = StabilityStudy(name="frozen", data=(torch.rand(9, 2), torch.rand(9, 1)), model=model, loss=nn.MSELoss())
    problem = study.problem()
    update = Update(stages=(1, 0))
    groups = late_optimizer(problem, Settings(delay=1, update=update), 0.1).param_groups
    assert [len(group["params"]) for group in groups] == [1, 2]
    u = torch.zeros(len(problem.point), dtype=torch.float64)
    u[0], u[-1] = 0.6, 0.8
    assert shares_of_stages(problem, update, u) == pytest.approx((0.36, 0.64))


def test_more_stages_than_the_model_has_children_are_refused() -> None:
    with pytest.raises(ValueError, match="stages must be between 1 and 2"):
        measure_in_process(two_parts().problem(), [3], update=Update(stages=(3, 2, 1)))
    with pytest.raises(ValueError, match="and this one has none with parameters"):
        measure_in_process(STUDY.problem(), [1], update=Update(stages=(1, 0)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lion"}, "has no threshold"),
        ({"optimizer": "nesterov", "momentum": 0.0}, "nesterov needs a momentum above 0"),
        ({"optimizer": "1,0/1,-0.9"}, "the filter '1,0/1,-0.9' has no code to run"),
        ({"remedy": "compensate:0.5"}, "remedy compensate cannot be measured"),
        ({"remedy": "predict:x"}, "a remedy must be predict:T"),
        ({"drawn": ((0, 0.5), (1, 0.6))}, "shares must sum to 1"),
        ({"drawn": ((0, 1.0),), "stages": (1, 0)}, "either drawn or those of stages"),
        ({"optimizer": "shifted-momentum", "stages": (1, 0)}, "one fixed delay"),
        ({"stages": (1, 0), "shares": (1.0,)}, "one number for each of the 2 stages"),
    ],
)
def test_what_cannot_be_measured_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Update(**options)


def test_what_is_asked_without_an_optimizer_is_the_papers() -> None:
    kind, update = asked(None, 0.9, True, None, None, ())
    assert (kind.value, kind.shifted, update) == (0.9, True, None)
    _, update = asked(None, 0.9, False, "predict:2", None, ())
    assert update == Update(optimizer="dampened-momentum", momentum=0.9, remedy="predict:2")
    with pytest.raises(ValueError, match="shifted must be left out"):
        asked("sgd", None, True, None, None, ())


@pytest.mark.parametrize("instead", [{"delays_from": [1, 2]}, {"stages": (1, 0)}])
def test_fixed_delays_beside_others_are_refused(instead: dict[str, Any]) -> None:
    inputs, targets = STUDY.examples()
    with pytest.raises(ValueError, match="delays must be left out where delays_from or stages take their place"):
        tautune.measure_thresholds(STUDY.model(), STUDY.loss, inputs, targets, delays=[1], **instead)
