"""A function whose backward keeps what forward computed is found out, whatever its kind; honest ones are believed."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import cross_entropy

from tautune.trainables.theory.second_derivatives import check_twice

pytestmark = pytest.mark.usefixtures("one_thread")
Context = Any


def function(
    forward: Callable[..., Tensor], keep: Callable[..., tuple[Any, ...]], backward: Callable[..., Any]
) -> type[Function]:
    """Returns a function that saves what `keep` returns for inputs and output, for `backward` to multiply by."""

    class Own(Function):
        @staticmethod
        def forward(ctx: Context, *x: Tensor) -> Tensor:
            y = forward(*x)
            ctx.save_for_backward(*keep(*x, y))
            return y

        @staticmethod
        def backward(ctx: Context, *g: Tensor) -> Any:
            return backward(g[0], *ctx.saved_tensors)

    return Own


class Apart(Function):
    """Keeps the derivative as an attribute, in the newer form without a context in forward."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.sin()

    @staticmethod
    def setup_context(ctx: Context, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.slope = inputs[0].detach().cos()

    @staticmethod
    def backward(ctx: Context, *g: Tensor) -> Tensor:
        return ctx.slope * g[0]  # type: ignore[no-any-return]


class InPlace(Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Context, *g: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return y * g[0]  # type: ignore[no-any-return]


class Partly(Function):
    """Swish, of whose derivative one factor is computed from x, and the other is kept."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        ctx.save_for_backward(x, s := x.sigmoid())
        return x * s

    @staticmethod
    def backward(ctx: Context, *g: Tensor) -> Tensor:
        x, s = ctx.saved_tensors
        return g[0] * (s + x * s * (1 - s))  # type: ignore[no-any-return]


def quantized(x: Tensor) -> Tensor:
    return (64 * x).round() / 64


def multiplied(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    return g @ w.mT, x.mT @ g


kept_square = function(torch.square, lambda x, y: (2 * x,), lambda g, slope: slope * g)
half = function(lambda x: x.relu() ** 2, lambda x, y: (x.relu(),), lambda g, r: 2 * r * g)
low = function(lambda x, w: quantized(x) @ quantized(w), lambda x, w, y: (quantized(x), quantized(w)), multiplied)
stepped = function(quantized, lambda x, y: (x.abs() < 1,), lambda g, mask: mask * g)
KEEPING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "a derivative": lambda x, w: kept_square.apply(x),
    "an attribute": lambda x, w: Apart.apply(x),
    "one factor of two": lambda x, w: Partly.apply(x),
    "half of the entries": lambda x, w: half.apply(x),
    "low-precision copies": lambda x, w: low.apply(x, w),
    "behind rounding": lambda x, w: kept_square.apply(stepped.apply(x)),
}
square = function(torch.square, lambda x, y: (x,), lambda g, x: 2 * x * g)
exponential = function(torch.exp, lambda x, y: (y,), lambda g, y: y * g)
relu = function(torch.relu, lambda x, y: (x > 0,), lambda g, mask: mask * g)
reversal = function(lambda x: x.view_as(x), lambda x, y: (), lambda g: -g)
matmul = function(lambda x, w: x @ w, lambda x, w, y: (x, w), multiplied)
HONEST: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "from its input": lambda x, w: square.apply(x),
    "from its output": lambda x, w: exponential.apply(x),
    "in place": lambda x, w: InPlace.apply(2 * x),
    "a mask": lambda x, w: relu.apply(x),
    "linear": lambda x, w: reversal.apply(x),
    "rounding": lambda x, w: stepped.apply(x),
    "two inputs": lambda x, w: matmul.apply(x, w),
    "torch's own": lambda x, w: nn.functional.gelu(x.relu() @ w),
}
TYPES = [torch.float64, torch.float32, torch.bfloat16]


def check(own: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype, seed: int) -> None:
    torch.manual_seed(seed)
    layer, w = nn.Linear(4, 3).to(dtype), torch.randn(3, 3).to(dtype).requires_grad_()
    x, targets = torch.randn(16, 4).to(dtype), torch.randint(3, (16,))
    check_twice(lambda: cross_entropy(own(layer(x), w), targets), [*layer.parameters(), w])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", KEEPING)
def test_what_forward_keeps_is_missed_by_the_graph(name: str, dtype: torch.dtype) -> None:
    for seed in range(3):
        with pytest.raises(
            ValueError, match="backward of (Own|Apart|Partly) takes what its forward has computed"
        ) as told:
            check(KEEPING[name], dtype, seed)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", HONEST)
def test_others_are_believed(name: str, dtype: torch.dtype) -> None:
    for seed in range(3):
        check(HONEST[name], dtype, seed)


def test_a_class_is_left_as_it_was_even_if_the_model_fails() -> None:
    forward, apply = vars(square)["forward"], square.apply
    check(lambda x, w: apply(x), torch.float32, 0)
    calls = iter([True, False])

    def fails(x: Tensor, w: Tensor) -> Tensor:
        y: Tensor = apply(x)
        if next(calls):
            return y
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        check(fails, torch.float32, 0)
    assert vars(square)["forward"] is forward


def test_a_custom_operation_of_torchs_library_is_seen_too() -> None:
    @torch.library.custom_op("tautune_tests::cube", mutates_args=())
    def cube(x: Tensor) -> Tensor:
        return x**3

    slopes = {"honest": lambda x: x, "keeping": lambda x: x.detach().clone()}
    for kind, saved in slopes.items():
        cube.register_autograd(
            lambda ctx, g: 3 * ctx.saved_tensors[0] ** 2 * g,
            setup_context=lambda ctx, inputs, output, saved=saved: ctx.save_for_backward(saved(inputs[0])),
        )
        if kind == "honest":
            check(lambda x, w: cube(x), torch.float32, 0)
        else:
            with pytest.raises(ValueError, match="backward of .*cube.* takes what its forward has computed"):
                check(lambda x, w: cube(x), torch.float32, 0)
