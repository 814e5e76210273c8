from concurrent.futures import ThreadPoolExecutor

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logicmix_studio.review.leases import LeaseTable


def held(table, who, now):
    """Return the items that a holder has."""
    return sorted(table.held_by_others("nobody", now) - table.held_by_others(who, now))


def test_nobody_gets_the_same_item():
    table = LeaseTable(seconds=60)
    assert table.acquire("ada", [5, 3, 8, 1], 2, now=0) == [5, 3]
    assert table.acquire("ben", [5, 3, 8, 1], 2, now=1) == [8, 1]
    assert table.acquire("cyd", [5, 3, 8, 1], 2, now=2) == []
    assert table.acquire("ada", [5, 3, 8, 1, 9], 1, now=2) == [9]
    assert table.held_by_others("ada", now=2) == {8, 1}


def test_a_lease_ends_by_itself():
    table = LeaseTable(seconds=60)
    table.acquire("ada", [5], 1, now=0)
    assert table.acquire("ben", [5], 1, now=59.9) == []
    assert table.acquire("ben", [5], 1, now=60) == [5]
    assert held(table, "ada", now=60) == []


def test_renewing_lengthens_and_says_what_was_lost():
    table = LeaseTable(seconds=60)
    table.acquire("ada", [1, 2, 3], 3, now=0)
    assert table.renew("ada", [1], now=50) == []
    assert table.acquire("ben", [1, 2, 3], 1, now=70) == [2]
    assert table.renew("ada", [1, 2, 3], now=80) == [2]
    assert held(table, "ben", now=129) == [2]
    assert held(table, "ada", now=139) == [1, 3]


def test_releasing_frees_at_once():
    table = LeaseTable(seconds=60)
    table.acquire("ada", [1, 2, 3], 3, now=0)
    table.release([1, 77])
    table.release([2], who="ben")
    table.release([3], who="ada")
    assert table.acquire("ben", [1, 2, 3], 3, now=1) == [1, 3]
    assert table.renew("ada", [], now=1) == []
    assert table.acquire("ben", [1, 2, 3], 3, now=1) == [2]


def test_nothing_is_taken_when_nothing_is_wanted():
    table = LeaseTable()
    assert table.acquire("ada", [1], 0, now=0) == []
    assert held(table, "ada", now=0) == []


def test_items_are_read_no_further_than_needed():
    items = iter(range(10**9))
    assert LeaseTable().acquire("ada", items, 3, now=0) == [0, 1, 2]
    assert next(items) == 3


def test_people_on_several_threads_never_share_an_item():
    table = LeaseTable()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda who: table.acquire(str(who), range(800), 100, now=0), range(8)))
    assert sorted(item for items in taken for item in items) == list(range(800))


class LeaseMachine(RuleBasedStateMachine):
    """Compares the table with a plain list of (item, who, until)."""

    def __init__(self):
        super().__init__()
        self.table = LeaseTable(seconds=10)
        self.model = {}
        self.now = 0

    @rule(step=st.integers(0, 8))
    def wait(self, step):
        self.now += step
        self.model = {item: lease for item, lease in self.model.items() if lease[1] > self.now}

    @rule(who=st.sampled_from("abc"), items=st.lists(st.integers(0, 9), unique=True), count=st.integers(0, 3))
    def acquire(self, who, items, count):
        expected = [item for item in items if item not in self.model][:count]
        assert self.table.acquire(who, items, count, self.now) == expected
        self.model.update(dict.fromkeys(expected, (who, self.now + 10)))

    @rule(who=st.sampled_from("abc"), items=st.lists(st.integers(0, 9), unique=True))
    def renew(self, who, items):
        lost = [item for item in items if self.model.get(item, (who,))[0] != who]
        assert self.table.renew(who, items, self.now) == lost
        self.model = {item: lease for item, lease in self.model.items() if lease[0] != who}
        self.model.update({item: (who, self.now + 10) for item in items if item not in lost})

    @rule(items=st.lists(st.integers(0, 9)))
    def release(self, items):
        self.table.release(items)
        self.model = {item: lease for item, lease in self.model.items() if item not in items}

    @invariant()
    def holders_agree(self):
        for who in "abc":
            own = {item for item, lease in self.model.items() if lease[0] == who}
            assert held(self.table, who, self.now) == sorted(own)
            assert self.table.held_by_others(who, self.now) == set(self.model) - own


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
