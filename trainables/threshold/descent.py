"""Trains to a minimum without delay, down to rounding errors, so that whatever happens there later is due to delay."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from tautune.trainables.theory.problem import Problem, flatten
from tautune.trainables.theory.sharpness import largest_eigenvalue
from tautune.trainables.threshold.kinks import gradient_jumps
from tautune.trainables.threshold.minimum import ROUNDING, Minimum

ONE_STEP_AWAY = 1e-3
"""Largest tolerance at which a Newton step is made: from there, one step leads to the minimum."""
FEW = 16
"""Number of examples whose individual gradients show how large a gradient is in an untrained network."""
TRAINED = 1e-3
"""Smallest starting gradient norm, as a fraction of the largest of a few single examples: for a network that is already
trained, its own gradient norm is no scale."""
ENDLESS_STEP, ENDLESS_GRADIENT = 0.01, 0.1
"""Length of a Newton step relative to ‖x‖, and the factor left of the gradient norm, above which there is no minimum,
but a loss that falls for ever. Expected for separable classes without L2: 0.07 and 1/e; at minima, both vanish."""
ENDLESS_GAIN = 1e-3
"""What the Newton step gains, relative to the loss, below which its length is only that of rounding errors: in single
precision they lead far along a direction without curvature, such as that of all biases of a softmax. Expected for
separable classes: 1."""
LOOSEST = 0.1
"""Largest tolerance that a sweep takes."""
PROGRESS = 0.5
"""Factor by which the gradient norm has to shrink in a round: at a kink, slower progress is not worth waiting for."""
PATIENCE = 10
"""Number of rounds in which a smooth loss has to halve the lowest gradient norm so far. Expected where biases grow
without bound (LSTM with L2 on the weights alone): no lower norm in 2,000 iterations, while the loss goes on falling."""


class MinimumNotReached(RuntimeError):
    """The descent did not end at a minimum; the message says why and what helps."""


class Descent:
    """Runs SciPy's L-BFGS in rounds, so that each round can be reported and kept.

    The curvature pairs take at most a gigabyte. After the last round, one Newton step, solved by conjugate gradients,
    removes the error that L-BFGS leaves where differences of f drown in rounding errors.

    A loss with kinks (ReLU, max-pooling) is lowest where kinks meet. There its gradient jumps and never vanishes: it
    stays near 1 % of its start. Such a descent ends after the first round in which its gradient norm has not halved.

    Args:
        tolerance: largest gradient norm, relative to its start, that counts as a minimum; in single precision at least
            1e-3. A looser tolerance ends at another point, with another λ. Measured on 150 images with the digits
            network (tanh, L2 0.01): λ is 0.01 % off at 1e-3, 0.06 % at 1e-2 and 0.4 % at 3e-2. With ReLU (all images)
            about 1e-2 is the limit, and λ changes by some 4 % from round to round; the measured threshold agrees with
            theory's for that λ to 1e-5.
        budget: largest number of gradient evaluations; a Hessian-vector product counts as two.
    """

    def __init__(self, problem: Problem, *, tolerance: float = 1e-6, budget: int = 20_000) -> None:
        self.problem, self.budget = problem, budget
        self.x = problem.point
        self.tolerance = max(tolerance, ROUNDING.get(self.x.dtype, 0.0))
        self.evaluations = 0
        self.allowed = budget
        self.stalled = self.kinked = self.endless = False
        self.waited = 0
        self.loss, gradient = self._evaluate(self.x)
        self.norm = float(gradient.norm())
        self.start_norm = self.norm and max(self.norm, TRAINED * self._norm_of_examples())
        self.lowest = self.norm

    @property
    def gradient_norm(self) -> float:
        """Returns the gradient norm relative to its value at the start."""
        return self.norm / self.start_norm if self.start_norm else 0.0

    @property
    def reached(self) -> bool:
        """Returns whether the gradient norm is within the tolerance."""
        return self.gradient_norm <= self.tolerance

    @property
    def exhausted(self) -> bool:
        """Returns whether another round is useless: at a kink, or if x or its progress stopped or all was spent."""
        return self.stalled or self.kinked or self.waited >= PATIENCE or self.evaluations >= self.allowed

    def advance(self) -> bool:
        """Runs 200 iterations, with the Newton step at a minimum, and returns whether the descent is over."""
        if not (self.reached or self.exhausted):
            before = self.norm
            self.round(200)
            slow = not self.reached and self.norm > PROGRESS * before
            self.kinked = slow and gradient_jumps(self._evaluate, self._curvature, self.x)
            progress = self.norm <= PROGRESS * self.lowest
            self.lowest, self.waited = (self.norm, 0) if progress else (self.lowest, self.waited + 1)
        if self.reached and self.tolerance <= ONE_STEP_AWAY:
            self.polish()
        return self.reached or self.exhausted

    def round(self, iterations: int) -> None:
        """Runs at most `iterations` of L-BFGS from the point where the last round ended."""
        memory = int(np.clip(2**30 / (16 * len(self.x)), 5, 100))
        # SciPy's tolerance is for the largest entry. A hundred times less is a good start for the Newton step.
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
        """Makes one Newton step, x ← x - H⁻¹ ∇f(x), and keeps it if the gradient shrinks."""
        _, gradient = self._evaluate(self.x)
        size = len(self.x)

        def multiply(v: NDArray[np.float64]) -> NDArray[np.float64]:
            return self._flat(self._curvature(torch.as_tensor(v.ravel()).to(self.x)))

        operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
        newton, _ = cg(operator, self._flat(gradient), rtol=1e-5, maxiter=products)
        x = self.x - torch.as_tensor(newton).to(self.x)
        gain = float(gradient @ (self.x - x))
        loss, gradient = self._evaluate(x)
        left = float(gradient.norm()) / self.norm if self.norm else 0.0
        far = float((x - self.x).norm()) > ENDLESS_STEP * float(self.x.norm())
        self.endless = far and left > ENDLESS_GRADIENT and gain > ENDLESS_GAIN * abs(self.loss)
        if left < 1:
            self._accept(x, loss, gradient)

    def minimum(self) -> Minimum:
        """Returns the point that was reached, with its sharpness.

        Raises:
            MinimumNotReached: the gradient norm is above the tolerance, the loss falls for ever, or the curvature is
                positive in no direction or negative in one (a saddle).
        """
        if not self.reached:
            raise MinimumNotReached(self._kink_message() if self.kinked else self._slow_message())
        if self.endless:
            raise MinimumNotReached(
                "no minimum: the loss falls for ever while the weights grow, as with separable classes; add L2, which "
                "bounds the weights, or use `tautune grid`, which needs no minimum"
            )
        top = largest_eigenvalue(lambda v: self.problem.hessian_vector_product(self.x, v), self.x)
        if top.value <= 0:
            raise MinimumNotReached(f"no minimum: the largest Hessian eigenvalue is {top.value:.3g}, not above 0")
        # The smallest eigenvalue of H, to a thousandth of λ: the largest eigenvalue of λ - H is λ minus it.
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
        """Returns the largest gradient norm of a few single examples, which training leaves almost unchanged."""
        norms = []
        for example in range(min(FEW, len(self.problem))):
            for parameter in self.problem.parameters:
                parameter.grad = None
            self.problem.backward(torch.tensor([example], device=self.x.device), penalty=False)
            norms.append(float(flatten(p.grad for p in self.problem.parameters if p.grad is not None).norm()))
        return max(norms)

    def _slow_message(self) -> str:
        spent = "A larger budget may reach it. " if self.evaluations >= self.allowed else ""
        return (
            f"no minimum within {self.evaluations} gradient evaluations: the gradient norm is {self.gradient_norm:.2g} "
            f"of its start, {self.tolerance:.2g} is needed. {spent}Parameters without L2 (biases, the scales of "
            "normalization layers) may grow without bound: those can be frozen; a model that is trained further starts "
            "nearer; `tautune grid` needs no minimum"
        )

    def _kink_message(self) -> str:
        looser = float(f"{2 * self.gradient_norm:.1g}")
        tolerance = (
            f"; with the tolerance {looser:g}, thresholds are measured at the point that was reached, where the "
            "sharpness is uncertain by a few percent"
        )
        return (
            f"no minimum: the gradient norm stays at {self.gradient_norm:.2g} of its start, because the gradient of "
            "this loss jumps (at the kinks of ReLU or max-pooling). A smooth activation (tanh, GELU, softplus) with "
            f"average pooling has a minimum{tolerance if looser <= LOOSEST else ''}; `tautune grid` needs no minimum"
        )

    def state_dict(self) -> dict[str, Any]:
        return {"x": self.x, "evaluations": self.evaluations, "start_norm": self.start_norm}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from the point of an earlier descent; L-BFGS has to learn the curvature again."""
        x = state["x"].to(self.x)
        self._accept(x, *self._evaluate(x))
        self.evaluations, self.start_norm = state["evaluations"], state["start_norm"]
        self.allowed = self.evaluations + self.budget

    def _accept(self, x: Tensor, loss: float, gradient: Tensor) -> None:
        self.x, self.loss, self.norm = x, loss, float(gradient.norm())

    def _evaluate(self, x: Tensor) -> tuple[float, Tensor]:
        self.evaluations += 1
        return self.problem.value_and_gradient(x)

    def _curvature(self, v: Tensor) -> Tensor:
        self.evaluations += 2  # a Hessian-vector product costs about two gradients
        return self.problem.hessian_vector_product(self.x, v)

    def _evaluate_flat(self, z: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = self._evaluate(torch.as_tensor(z).to(self.x))
        return loss, self._flat(gradient)

    @staticmethod
    def _flat(x: Tensor) -> NDArray[np.float64]:
        return x.detach().double().cpu().numpy()


def find_minimum(problem: Problem, *, tolerance: float = 1e-6, budget: int = 20_000) -> Minimum:
    """Trains `problem` from its model's current parameters to a minimum.

    Args:
        tolerance: largest gradient norm, relative to its start, that counts as a minimum.
        budget: largest number of gradient evaluations; a Hessian-vector product counts as two.

    Raises:
        MinimumNotReached: there is none within the budget; the message says how far training came.
    """
    descent = Descent(problem, tolerance=tolerance, budget=budget)
    while not descent.advance():
        pass
    return descent.minimum()
