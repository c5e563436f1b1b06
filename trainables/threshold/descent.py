"""Trains to a minimum with τ = 0, to rounding, so that what happens there later is the delay's doing alone."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from tautune.trainables.theory.problem import Problem, flatten
from tautune.trainables.theory.sharpness import largest_eigenvalue
from tautune.trainables.threshold.minimum import ROUNDING, Minimum

ONE_STEP_AWAY = 1e-3
"""Tolerance up to which one Newton step leads to the minimum, and is made."""
FEW = 16
"""Examples whose own gradients are looked at, to tell how large a gradient is in an untrained network."""
TRAINED = 1e-3
"""Share of single examples' gradient norm that counts as where training began, at least: where a network comes trained,
its own gradient norm says nothing."""
PROBES = {torch.float64: (1e-5, 3e-5), torch.float32: (1e-3, 3e-3)}
"""Distances, relative to ‖x‖, at which the gradient is compared with what the curvature says it is."""
KINKED = 0.3
"""Share by which the two differ where the gradient jumps. Measured: 1e-5 to 1e-2 in smooth networks, 0.5 to 60 with
ReLU."""
PROGRESS = 0.5
"""A round in which the gradient norm does not shrink to this share makes no progress worth waiting for at a kink."""


class MinimumNotReached(RuntimeError):
    """The descent ended at no minimum; the message says why and what helps."""


class Descent:
    """L-BFGS (SciPy's) in rounds, so that each can be reported and kept.

    Curvature pairs take at most a gigabyte. After the last round one Newton step, solved by conjugate gradients,
    removes what L-BFGS leaves where differences of f drown in rounding.

    A loss with kinks (ReLU, max-pooling) is lowest where kinks meet, and there its gradient jumps and never vanishes:
    it stays near 1 % of its start. Such a descent ends after the first round in which its gradient norm has not halved.

    Args:
        tolerance: gradient norm, relative to its start, that counts as a minimum; in single precision at least 1e-3.
            A looser one ends at another point, with another λ. Measured on 150 images of the digits network (tanh, L2
            0.01): λ is 0.01 % off at 1e-3, 0.06 % at 1e-2 and 0.4 % at 3e-2. With ReLU (all images) 1e-2 is about the
            limit, and λ changes by some 4 % from round to round; the measured threshold is theory's for that λ to
            1e-5.
        budget: gradient evaluations at most, a Hessian-vector product counted as two.
    """

    def __init__(self, problem: Problem, *, tolerance: float = 1e-6, budget: int = 20_000) -> None:
        self.problem, self.budget = problem, budget
        self.x = problem.point
        self.tolerance = max(tolerance, ROUNDING.get(self.x.dtype, 0.0))
        self.evaluations = 0
        self.allowed = budget
        self.stalled = self.kinked = False
        self.loss, gradient = self._evaluate(self.x)
        self.norm = float(gradient.norm())
        self.start_norm = self.norm and max(self.norm, TRAINED * self._norm_of_examples())

    @property
    def gradient_norm(self) -> float:
        """Relative to the gradient norm at the start."""
        return self.norm / self.start_norm if self.start_norm else 0.0

    @property
    def reached(self) -> bool:
        return self.gradient_norm <= self.tolerance

    @property
    def exhausted(self) -> bool:
        return self.stalled or self.kinked or self.evaluations >= self.allowed

    def advance(self) -> bool:
        """Makes a round of 200 iterations, and the Newton step at a minimum; returns whether it is all over."""
        if not (self.reached or self.exhausted):
            before = self.norm
            self.round(200)
            self.kinked = not self.reached and self.norm > PROGRESS * before and self._gradient_jumps()
        if self.reached and self.tolerance <= ONE_STEP_AWAY:
            self.polish()
        return self.reached or self.exhausted

    def round(self, iterations: int) -> None:
        """At most `iterations` of L-BFGS from where the last round ended."""
        memory = int(np.clip(2**30 / (16 * len(self.x)), 5, 100))
        # SciPy's tolerance is on the largest entry: aim a hundred times below, the Newton step starts well there.
        target = 0.01 * self.tolerance * self.start_norm
        options = {
            "maxiter": iterations,
            "maxfun": self.allowed - self.evaluations,
            "maxcor": memory,
            "gtol": target,
            "ftol": 0.0,
        }
        found = minimize(self._evaluate_flat, self._flat(self.x), jac=True, method="L-BFGS-B", options=options)
        x = torch.as_tensor(found.x).to(self.x)
        self.stalled = bool(torch.equal(x, self.x))
        self._accept(x, *self._evaluate(x))

    def polish(self, products: int = 200) -> None:
        """One Newton step, kept if the gradient shrinks: x ← x - H⁻¹ ∇f(x)."""
        _, gradient = self._evaluate(self.x)
        size = len(self.x)

        def multiply(v: NDArray[np.float64]) -> NDArray[np.float64]:
            self.evaluations += 2  # a Hessian-vector product costs about two gradients
            return self._flat(self.problem.hessian_vector_product(self.x, torch.as_tensor(v.ravel()).to(self.x)))

        operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
        newton, _ = cg(operator, self._flat(gradient), rtol=1e-5, maxiter=products)
        x = self.x - torch.as_tensor(newton).to(self.x)
        loss, gradient = self._evaluate(x)
        if float(gradient.norm()) < self.norm:
            self._accept(x, loss, gradient)

    def minimum(self) -> Minimum:
        """The point reached, with its sharpness.

        Raises:
            MinimumNotReached: the gradient norm is above the tolerance, the curvature is nowhere positive, or
                it is negative somewhere (a saddle).
        """
        if not self.reached:
            raise MinimumNotReached(
                self._kink_message()
                if self.kinked
                else f"no minimum within {self.evaluations} gradient evaluations: the gradient norm is "
                f"{self.gradient_norm:.2g} of its start, {self.tolerance:.2g} is needed"
            )
        top = largest_eigenvalue(lambda v: self.problem.hessian_vector_product(self.x, v), self.x)
        if top.value <= 0:
            raise MinimumNotReached(f"no minimum: the largest Hessian eigenvalue is {top.value:.3g}, not above 0")
        # From the other end, to a thousandth of λ: the largest eigenvalue of λ - H is λ less the smallest of H.
        below = largest_eigenvalue(
            lambda v: top.value * v - self.problem.hessian_vector_product(self.x, v), self.x, tolerance=1e-3
        )
        if top.value - below.value < -0.01 * top.value:
            raise MinimumNotReached(
                f"no minimum but a saddle: Hessian eigenvalues from {top.value - below.value:.3g} to {top.value:.3g}"
            )
        return Minimum(
            point=self.x,
            direction=top.direction,
            sharpness=top.value,
            loss=self.loss,
            gradient_norm=self.gradient_norm,
            start_norm=self.start_norm,
            gradient_evaluations=self.evaluations + 2 * (top.products + below.products),
        )

    def _norm_of_examples(self) -> float:
        """Returns the largest gradient norm of a few examples alone, of which a minimum leaves most as they are."""
        norms = []
        for example in range(min(FEW, len(self.problem))):
            for parameter in self.problem.parameters:
                parameter.grad = None
            self.problem.backward(torch.tensor([example], device=self.x.device), penalty=False)
            norms.append(float(flatten(p.grad for p in self.problem.parameters if p.grad is not None).norm()))
        return max(norms)

    def _gradient_jumps(self) -> bool:
        """Whether the gradient, a little downhill of x, is another than the curvature at x says."""
        _, gradient = self._evaluate(self.x)
        downhill = -gradient / gradient.norm()
        bend = self.problem.hessian_vector_product(self.x, downhill)
        self.evaluations += 2
        for probe in PROBES[self.x.dtype]:
            distance = probe * (float(self.x.norm()) or 1.0)
            _, beyond = self._evaluate(self.x + distance * downhill)
            if float((beyond - gradient - distance * bend).norm()) > KINKED * distance * float(bend.norm()):
                return True
        return False

    def _kink_message(self) -> str:
        looser = float(f"{2 * self.gradient_norm:.1g}")
        return (
            f"no minimum: the gradient norm stays at {self.gradient_norm:.2g} of its start, as the loss has kinks "
            "(ReLU, max-pooling), where its gradient jumps. A smooth activation (tanh, GELU, softplus) with average "
            f"pooling has a minimum; --tolerance {looser:g} measures at the point that was reached, where the "
            "sharpness is a few percent uncertain; `tautune grid` needs no minimum"
        )

    def state_dict(self) -> dict[str, Any]:
        return {"x": self.x, "evaluations": self.evaluations, "start_norm": self.start_norm}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from the point of an earlier descent; the curvature that L-BFGS had learned is learned again."""
        x = state["x"].to(self.x)
        self._accept(x, *self._evaluate(x))
        self.evaluations, self.start_norm = state["evaluations"], state["start_norm"]
        self.allowed = self.evaluations + self.budget

    def _accept(self, x: Tensor, loss: float, gradient: Tensor) -> None:
        self.x, self.loss, self.norm = x, loss, float(gradient.norm())

    def _evaluate(self, x: Tensor) -> tuple[float, Tensor]:
        self.evaluations += 1
        return self.problem.value_and_gradient(x)

    def _evaluate_flat(self, z: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = self._evaluate(torch.as_tensor(z).to(self.x))
        return loss, self._flat(gradient)

    @staticmethod
    def _flat(x: Tensor) -> NDArray[np.float64]:
        return x.detach().double().cpu().numpy()


def find_minimum(problem: Problem, *, tolerance: float = 1e-6, budget: int = 20_000) -> Minimum:
    """Trains `problem` from its model's present parameters to a minimum.

    Args:
        tolerance: on the gradient norm, relative to its start.
        budget: gradient evaluations at most, a Hessian-vector product counted as two.

    Raises:
        MinimumNotReached: with the gradient norm that was reached.
    """
    descent = Descent(problem, tolerance=tolerance, budget=budget)
    while not descent.advance():
        pass
    return descent.minimum()
