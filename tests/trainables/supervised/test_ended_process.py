"""A trial whose process Ray ends has no result: it is not the configuration that failed."""

import pytest
from torch import nn

from tests.trainables.supervised.test_trial import make_trial


def test_a_process_that_ray_ends_has_no_result() -> None:
    def ended(shape: tuple[int, ...], classes: int) -> nn.Module:
        error = SystemExit()
        vars(error)["reason"] = "as Ray's handler of SIGTERM gives one"
        raise error

    with pytest.raises(SystemExit):
        make_trial({}, model=ended).step()
