"""`tautune.probe` and the command: whether a learning rate is safe where a training stands."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import tautune
from tautune.analysis.probe import Probe
from tautune.runners.probe import StudyProbe
from tautune.search_spaces import find
from tautune.trainables.curvature.probing import curvature_of
from tautune.trainables.theory.loop import TrainingLoop
from tests.commands.test_commands import run
from tests.trainables.curvature.networks import network, train

pytestmark = pytest.mark.usefixtures("one_thread")


def least_squares() -> tuple[nn.Module, list[Any]]:
    """Returns a model whose sharpness is 4 over two batches, along whose direction the curvature is 2 and 6."""
    model = nn.Linear(2, 1, bias=False).double()
    batches = [(torch.tensor([[a, 0.0], [0.0, 1.0]]).double(), torch.zeros(2, 1).double()) for a in (4**0.5, 12**0.5)]
    return model, batches


def half(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return 0.5 * (outputs - targets).square().mean()


def test_margins_and_delays_are_theorys() -> None:
    model, batches = least_squares()
    optimizer = tautune.GradientQueue(torch.optim.SGD(model.parameters(), 0.05), delay=4)
    whole = tuple(torch.cat(parts) for parts in zip(*batches, strict=True))
    found = tautune.probe(model, half, whole, optimizer=optimizer)
    assert found.sharpness == pytest.approx(4)
    assert found.noise is None
    assert found.margin == pytest.approx(TrainingLoop("sgd", 4).threshold / 4 / 0.05)
    assert found.safe
    assert found.largest_delay == TrainingLoop("sgd", 4).delay_margin(0.2) == 7
    frame = found.to_frame()
    assert frame["delay"].tolist() == [4, 0, 1, 2, 8, 16, 32]
    assert frame["safe"].tolist() == [True, True, True, True, False, False, False]
    assert frame["max_stable_learning_rate"].tolist() == pytest.approx(
        [tautune.max_stable_learning_rate(4, delay) for delay in frame["delay"]], rel=1e-6
    )
    assert (frame["growth"] > 0).tolist() == [not safe for safe in frame["safe"]]
    assert found.best_remedy is not None
    assert found.best_remedy.threshold_at_unit_gain > found.loop.threshold


def test_noise_between_batches_lowers_the_margin() -> None:
    model, batches = least_squares()
    optimizer = torch.optim.SGD(model.parameters(), 0.45)
    found = tautune.probe(model, half, batches, optimizer=optimizer, delays=0)
    assert found.noise == pytest.approx(0.25)  # (2² / 4²)
    assert found.batch_curvatures == pytest.approx((2, 6))
    assert found.rows[0].mean_square_learning_rate == pytest.approx(2 / 1.25 / 4, rel=1e-6)
    assert found.rows[0].max_stable_learning_rate == pytest.approx(0.5)
    assert found.safe is False
    assert found.largest_delay is None


def test_traces_and_stages_are_asked_about_as_theory_has_them(tmp_path: Path) -> None:
    model, batches = network("mlp", dtype=torch.float64)
    trace = tmp_path / "trace.csv"
    trace.write_text("delay\n0\n8\n")
    drawn = tautune.probe(model, cross_entropy, batches[0], delays_from=trace)
    expected = TrainingLoop("sgd", {0: 0.5, 8: 0.5})
    assert drawn.rows[0].threshold == pytest.approx(expected.threshold)
    assert drawn.rows[0].mean_square_learning_rate == pytest.approx(
        expected.mean_square_threshold() / drawn.sharpness, rel=1e-6
    )
    assert drawn.margin is None
    staged = tautune.probe(model, cross_entropy, batches[0], stages=[1, 0])
    groups, _ = tautune.pipeline_delays(model, 2)
    queue = tautune.GradientQueue(torch.optim.SGD(groups, 0.1), {"stage0": 1, "stage1": 0})
    queued = tautune.probe(model, cross_entropy, batches[0], optimizer=queue)
    assert staged.rows[0].threshold > TrainingLoop("sgd", 1).threshold
    with pytest.raises(ValueError, match="there are 4 stages, and the model has 3 children with parameters"):
        tautune.probe(model, cross_entropy, batches[0], stages=[3, 2, 1, 0])
    assert queued.rows[0].threshold == pytest.approx(staged.rows[0].threshold, rel=1e-4)


def test_the_command_probes_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = find("digits")
    problem = study.problem()
    optimizer = torch.optim.AdamW(problem.model.parameters(), 1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        problem.backward()
        optimizer.step()
    expected = curvature_of(
        problem.model, problem.loss, (problem.inputs, problem.targets), optimizer=optimizer, l2=problem.l2
    )
    for content in (
        {"model": problem.model.state_dict(), "optimizer": optimizer.state_dict()},
        {  # Lightning's
            "state_dict": {f"network.{name}": p for name, p in problem.model.state_dict().items()},
            "optimizer_states": [optimizer.state_dict()],
        },
    ):
        torch.save(content, tmp_path / "last.pt")
        assert (
            run(monkeypatch, "probe", "digits", "--checkpoint", str(tmp_path / "last.pt"), "--delays", "0,2", "--json")
            == 0
        )
        answer = json.loads(capsys.readouterr().out)
        assert (answer["optimizer"], answer["learning_rate"], answer["preconditioned"]) == ("AdamW", 1e-3, True)
        assert answer["sharpness"] == pytest.approx(expected.sharpness, rel=1e-4)
        assert [row["delay"] for row in answer["rows"]] == [0, 2]


def test_a_checkpoint_of_batch_norm_is_probed_as_it_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    batch = torch.randn(32, 4), torch.randint(3, (32,))

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))

    trained = model()
    optimizer = torch.optim.Adam(trained.parameters(), 1e-3)
    train(trained, [batch], optimizer, steps=20)
    expected = tautune.probe(trained, cross_entropy, batch, optimizer=optimizer)
    torch.save({"model": trained.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "last.pt")
    study = tautune.StabilityStudy(name="norm", model=model, data=lambda: batch, loss=cross_entropy)
    found = StudyProbe(study=study, checkpoint=tmp_path / "last.pt").carried_out()
    assert found.sharpness == pytest.approx(expected.sharpness, rel=1e-2)


def test_an_optimizer_is_named_where_the_file_does_not_tell(tmp_path: Path) -> None:
    model = find("digits").problem().model
    names = {"adam": torch.optim.Adam, "adagrad": torch.optim.Adagrad, "radam": torch.optim.RAdam}
    for name, make in names.items():
        optimizer = make(model.parameters(), 1e-3)
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / name)

    def probed(name: str, optimizer: str) -> Probe:
        return StudyProbe(study="digits", checkpoint=tmp_path / name, optimizer=optimizer).carried_out()

    assert probed("adagrad", "sgd").preconditioned is False
    assert probed("radam", "adam").preconditioned is True
    assert probed("adam", "adamw").optimizer == "AdamW"
    with pytest.raises(ValueError, match="has the state of adam, and not of sgd: leave --optimizer out"):
        probed("adam", "sgd")
    with pytest.raises(ValueError, match="the state of Adam has no exp_avg_sq: it is that of another optimizer"):
        probed("adagrad", "adam")


def test_an_optimizer_without_a_threshold_is_told_before_anything_is_measured() -> None:
    model, batches = network("mlp")
    optimizer = torch.optim.Adagrad(model.parameters())

    def loss(*_: Any) -> torch.Tensor:
        raise AssertionError

    for wanted in (
        lambda: tautune.probe(model, loss, batches, optimizer=optimizer),
        lambda: tautune.StabilityMonitor(model, loss, batches, optimizer),
    ):
        with pytest.raises(ValueError, match="the filter of Adagrad is not known"):
            wanted()


def test_a_checkpoint_of_another_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = find("digits").problem().model
    own, late = model.state_dict(), tautune.GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 4)
    cases: list[tuple[Any, str]] = [
        (
            nn.Linear(2, 2).state_dict(),
            "is a checkpoint of another model: it lacks 0.bias, 0.weight, 2.bias and 1 more",
        ),
        (own | {"0.weight": torch.zeros(3, 3)}, "another model: 0.weight has the shape (3, 3), not (32, 64)"),
        ({"epoch": 3}, "has no model: it needs a state dict, alone or under one of model"),
        ([1], "holds a list, and no state dict"),
        (
            {"model": own, "optimizer": {"param_groups": [{"params": [0], "rho": 1}]}},
            "has an optimizer that is not known",
        ),
        (
            {"model": own, "optimizer": torch.optim.Adam(nn.Linear(2, 2).parameters()).state_dict()},
            "has the optimizer of another model: ",
        ),
        (
            {"model": own, "optimizer": late.state_dict()},
            "is of an optimizer whose gradients are late (RecordedDelay(delays=(4,)), storage None): say how late by",
        ),
    ]
    for content, words in cases:
        torch.save(content, tmp_path / "other.pt")
        assert run(monkeypatch, "probe", "digits", "--checkpoint", str(tmp_path / "other.pt")) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_training_states_of_any_network_are_probed() -> None:
    model, batches = network("transformer")
    optimizer = torch.optim.NAdam(model.parameters(), 1e-3)
    train(model, batches, optimizer)
    found = tautune.probe(model, cross_entropy, batches, optimizer=tautune.GradientQueue(optimizer, 0), delays=[0, 8])
    assert found.preconditioned
    assert found.noise is not None
    assert [row.delay for row in found.rows] == [0, 8]
    assert found.margin == found.rows[1].margin
