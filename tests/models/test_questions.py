"""Customers' vectors for a question against dense ones made by hand, cell by cell."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_models.questions import CustomerAmounts, count_vectors, histogram_vectors, tree_vectors
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.release import BlockLayout, ReleaseLayout, sum_customers
from hanse_privacy.statistics.trees import Tree

CUSTOMERS, GROUPS = 6, 12
Written = dict[tuple[int, int], float]

whole = st.integers(0, 50).map(float)
amounts_written = st.dictionaries(
    st.tuples(st.integers(0, CUSTOMERS - 1), st.integers(0, GROUPS - 1)),
    st.one_of(whole, st.floats(0, 1e9), st.sampled_from([0.0, 5e-324, 0.1, 1e12, 1e300])),
    max_size=40,
)
edges_written = st.lists(st.one_of(whole, st.floats(1e-9, 1e12)).filter(bool), unique=True, max_size=12).map(
    lambda later: [0.0, *sorted(later)]
)


def amounts(written: Written, *, customers: int = CUSTOMERS, groups: int = GROUPS) -> CustomerAmounts:
    return CustomerAmounts(
        customers=customers,
        groups=groups,
        customer=np.array([customer for customer, _ in written], dtype=np.int32),
        group=np.array([group for _, group in written], dtype=np.int32),
        amount=np.array(list(written.values()), dtype=np.float64),
    )


def bin_of(amount: float, edges: list[float]) -> int:
    """The last bin whose lower edge is not above the amount."""
    return max(place for place, edge in enumerate(edges) if edge <= amount)


def clipped(rows: np.ndarray, *, clip: float) -> int:
    """Rows that a release says are longer than the clip."""
    layout = ReleaseLayout(
        blocks=(BlockLayout(name="answer", size=rows.shape[1], clip=clip, share=1.0),),
        units=65536,
        noise_multiplier=4.0,
        honest_shares=1,
    )
    return sum_customers(layout, [{"answer": rows}]).clipped["answer"]


@given(written=amounts_written)
def test_a_count_has_each_amount_in_its_own_cell(written: Written) -> None:
    dense = np.zeros((CUSTOMERS, GROUPS))
    for (customer, group), amount in written.items():
        dense[customer, group] = amount
    found = count_vectors(amounts(written))
    assert found.shape == dense.shape
    assert (found.toarray() == dense).all()


@given(written=amounts_written, edges=edges_written)
def test_a_histogram_has_a_one_in_the_bin_of_each_amount(written: Written, edges: list[float]) -> None:
    dense = np.zeros((CUSTOMERS, GROUPS, len(edges)))
    for (customer, group), amount in written.items():
        dense[customer, group, bin_of(amount, edges)] += 1
    found = histogram_vectors(amounts(written), edges=edges)
    assert (found.toarray() == dense.reshape(CUSTOMERS, -1)).all()


@given(
    written=amounts_written,
    branching=st.integers(2, 5),
    height=st.integers(1, 3),
    highest=st.one_of(whole.filter(bool), st.floats(1e-6, 1e12)),
)
def test_a_tree_has_a_one_at_every_node_above_the_bin_of_each_amount(
    written: Written, branching: int, height: int, highest: float
) -> None:
    tree = Tree(branching=branching, height=height)
    edges = [highest * place / tree.leaves for place in range(tree.leaves + 1)]
    dense = np.zeros((CUSTOMERS, GROUPS, tree.size))
    for (customer, group), amount in written.items():
        leaf = bin_of(amount, edges[:-1])
        start = 0
        for level in range(height + 1):
            # Level by level from the root: the node whose share of the leaves holds this one.
            nodes = branching**level
            dense[customer, group, start + leaf * nodes // tree.leaves] += 1
            start += nodes
    found = tree_vectors(amounts(written), edges=edges, tree=tree)
    assert (found.toarray() == dense.reshape(CUSTOMERS, -1)).all()


@pytest.mark.parametrize(
    ("amount", "place"), [(0.0, 0), (0.99, 0), (1.0, 1), (2.49, 1), (2.5, 2), (1e12, 2), (1e300, 2)]
)
def test_a_bin_starts_at_its_edge_and_the_last_one_has_no_end(amount: float, place: int) -> None:
    found = histogram_vectors(amounts({(0, 0): amount}, customers=1, groups=1), edges=[0.0, 1.0, 2.5])
    assert found.toarray()[0].tolist() == [float(place == one) for one in range(3)]


def test_the_last_of_the_largest_edges_keeps_its_bin() -> None:
    # There, one more is still another number.
    found = histogram_vectors(amounts({(0, 0): 1e12, (0, 1): 1e12 - 1}, customers=1), edges=[0.0, 1e12])
    assert found.toarray()[0, :4].tolist() == [0, 1, 1, 0]


@settings(max_examples=60)
@given(groups=st.integers(1, 40), height=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_nobody_is_longer_than_the_clip_that_a_question_must_have(groups: int, height: int, seed: int) -> None:
    # Everybody is in every group: the longest that a vector can be.
    everywhere = np.random.default_rng(seed).exponential(50.0, size=(3, groups))
    written = {(customer, group): float(everywhere[customer, group]) for customer, group in np.ndindex(3, groups)}
    given_amounts = amounts(written, customers=3, groups=groups)
    tree = Tree(branching=2, height=height)
    edges = [100.0 * place / tree.leaves for place in range(tree.leaves + 1)]
    for rows, ones in (
        (histogram_vectors(given_amounts, edges=[0.0, 10.0, 50.0]).toarray(), groups),
        (tree_vectors(given_amounts, edges=edges, tree=tree).toarray(), groups * (height + 1)),
    ):
        longest = math.sqrt(ones)
        assert (rows.sum(axis=1) == ones).all()
        assert clipped(rows, clip=longest) == 0
        assert clipped(rows, clip=longest * (1 - 1e-12)) == 3


@given(written=amounts_written, edges=edges_written)
def test_whoever_is_in_few_groups_is_not_cut_either(written: Written, edges: list[float]) -> None:
    rows = histogram_vectors(amounts(written), edges=edges).toarray()
    assert clipped(rows, clip=math.sqrt(GROUPS)) == 0
    assert set(np.unique(rows)) <= {0.0, 1.0}


@given(written=amounts_written)
def test_whoever_has_a_row_bought(written: Written) -> None:
    bought = amounts(written).bought
    assert bought.dtype == np.float64
    assert bought.tolist() == [float(any(row == customer for row, _ in written)) for customer in range(CUSTOMERS)]


def test_nothing_bought_and_nobody_at_all_are_fine() -> None:
    for customers in (0, 4):
        nothing = amounts({}, customers=customers, groups=3)
        assert count_vectors(nothing).shape == (customers, 3)
        assert histogram_vectors(nothing, edges=[0.0, 1.0]).shape == (customers, 6)
        tree = Tree(branching=4, height=1)
        assert tree_vectors(nothing, edges=[0.0, 1.0, 2.0, 3.0, 4.0], tree=tree).shape == (customers, 15)
        assert nothing.bought.tolist() == [0.0] * customers


GOOD = amounts({(0, 0): 1.0, (0, 1): 2.0, (1, 0): 3.0}, customers=2, groups=2)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("customers", -1, "customers is -1"),
        ("customers", 1, "customer is 1"),
        ("groups", 0, "groups is 0"),
        ("groups", 1, "group is 1"),
        ("customer", np.array([0, 0, 2], dtype=np.int32), "customer is 2"),
        ("customer", np.array([0, 0, -1], dtype=np.int32), "customer is -1"),
        ("customer", np.array([0, 0], dtype=np.int32), "one length"),
        ("group", np.array([0, 1, 2], dtype=np.int32), "group is 2"),
        ("group", np.array([0, 1, -1], dtype=np.int32), "group is -1"),
        ("group", np.array([0, 0, 0], dtype=np.int32), "one per customer and group"),
        ("amount", np.array([1.0, np.nan, 1.0]), "in 1 rows"),
        ("amount", np.array([-1e-9, np.inf, 1.0]), "in 2 rows"),
        ("amount", np.array([1.0]), "one length"),
    ],
)
def test_a_bad_column_is_named_with_its_bound(column: str, values: object, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        replace(GOOD, **{column: values})


def test_a_refused_amount_is_not_shown() -> None:
    with pytest.raises(InvalidValueError) as caught:
        replace(GOOD, amount=np.array([1.0, -1234.5, 1.0]))
    assert "1234" not in str(caught.value)


def test_many_groups_of_many_customers_do_not_wrap_around() -> None:
    # 2^16 times 2^16: in 32 bits the first and the last customer would be the same row.
    far = amounts({(0, 0): 1.0, (2**16, 0): 2.0, (2**16, 2**16 - 1): 7.0}, customers=2**16 + 1, groups=2**16)
    assert count_vectors(far)[2**16, 2**16 - 1] == 7.0
    found = histogram_vectors(far, edges=[float(edge) for edge in range(40_000)])
    assert found.shape == (2**16 + 1, 2**16 * 40_000)
    assert found[2**16, (2**16 - 1) * 40_000 + 7] == 1.0
