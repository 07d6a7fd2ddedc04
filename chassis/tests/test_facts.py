"""What never changes is remembered, up to a bound."""

from chassis.facts import Facts


def test_a_fact_is_known_once_it_was_told():
    facts = Facts()
    assert facts.get("thread") is None
    facts.keep("thread", "author")
    assert facts.get("thread") == "author"


def test_the_latest_facts_are_kept_and_the_oldest_go():
    facts = Facts(10)
    for number in range(25):
        facts.keep(str(number), "x")
    assert facts.get("24")
    assert facts.get("0") is None
    assert sum(facts.get(str(number)) is not None for number in range(25)) <= 10
