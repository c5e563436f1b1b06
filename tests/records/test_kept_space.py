"""What run.json says of a space is what the space is."""

import pytest
from ray.tune.search.sample import Categorical, Integer

from tautune.records.kept_space import Searched, searched
from tautune.search_spaces.space import as_text, domain_of, ends
from tests.search_spaces.test_space import DOMAINS


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_is_read_as_it_is(name: str) -> None:
    entry, text = DOMAINS[name]
    found = searched({name: text})[name]
    domain = domain_of(entry)
    if name in ("randn", "qrandn", "functions", "objects"):
        assert (found.low, found.high, found.choices) == (None, None, None)
        assert found.condition == ("choice in [1]" if name == "objects" else None)
    elif isinstance(domain, Categorical):
        assert found == Searched("categorical", choices=tuple(domain.categories))
    else:
        assert (found.low, found.high) == tuple(ends(domain))
        assert found.kind == ("integer" if isinstance(domain, Integer) else "float")
        assert found.log == ("log" in name)


@pytest.mark.parametrize("value", ["sgd", 3, [1, 2], None, "a {'lower': 1}", "when it rains: 1"])
def test_a_fixed_value_was_not_searched(value: object) -> None:
    assert searched({"name": as_text(value)}) == {}
