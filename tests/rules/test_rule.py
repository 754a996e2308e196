"""Files of rules: what is accepted, and how every fault is told at once."""

import re

import pytest

from dcim.model.alarm import Priority
from rules.rule import AlarmRule, RuleError, RuleSet, load
from tests.rules.conftest import rules_of

RULE = """
[[alarm]]
id = "hot"
title = "too hot"
match = { metric = "temperature" }
condition = ">="
level = [{ priority = "low", limit = 30 }]
cause = "c"
consequence = "q"
action = "a"
"""


def faults(tmp_path, text: str) -> list[str]:
    with pytest.raises(RuleError) as caught:
        rules_of(tmp_path, text)
    return [str(fault) for fault in caught.value.faults]


def test_a_sound_rule_loads(tmp_path):
    rule = rules_of(tmp_path, RULE).alarms["hot"]
    assert rule.level[0].priority is Priority.LOW
    assert rule.category == "process"


def test_every_rule_of_the_suite_has_a_title_in_both_languages(builtin_rules):
    untold = [
        rule.id
        for rule in builtin_rules.alarms.values()
        if not re.search("[\u4e00-\u9fff]", rule.title_zh) or not rule.title.isascii()
    ]
    assert untold == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            'cause = "c"',
            'explained = [{ by = ["hot"], via = "power", is_cause = true }]\ncause = "c"',
            r"is_cause needs via = 'device'",
        ),
        ('cause = "c"', "", r"alarm\.hot\.cause: Field required"),
        ('action = "a"', 'action = " "', r"alarm\.hot\.action: .*at least 1 character"),
        ('consequence = "q"', 'consequence = ""', r"alarm\.hot\.consequence"),
        ('title = "too hot"', 'title = "x"\ncolour = "red"', r"alarm\.hot\.colour: Extra"),
        ('"temperature"', '"temprature"', r"'temprature' is not in the registry"),
        ('"temperature" }', '"temperature", kinds = ["upz"] }', r"unknown device kind upz"),
        ('"low", limit = 30', '"dire", limit = 30', r"'dire' is not one of critical"),
        ('cause = "c"', 'cause = "c"\noutages = ["timeout"]', r"needs condition 'outage'"),
        ('cause = "c"', 'cause = "c"\noutages = ["tired"]', r"alarm\.hot\.outages"),
        (", limit = 30", "", r"needs `limit`"),
        ('">="', '"state"', r"needs `states`"),
        ('"temperature"', '"leak"', r"does not fit a state"),
        ('cause = "c"', 'cause = "c"\ndeadband = "some"', r"neither a number nor a percentage"),
        ('cause = "c"', 'cause = "c"\non_delay_s = -1', r"on_delay_s"),
        ('cause = "c"', 'cause = "c"\nsafety = true\non_delay_s = 11', r"safety alarm"),
        ("limit = 30", 'limit = { metric = "x" }', r"not in the registry"),
        ("limit = 30", "limit = { factor = 2 }", r"either `metric` or `rack`"),
        (
            'cause = "c"',
            'cause = "c"\nexplained = [{ by = ["gone"], via = "power" }]',
            r"there is no rule 'gone'",
        ),
        (
            'cause = "c"',
            'cause = "c"\nunless = [{ metric = "mode", states = ["asleep"] }]',
            r"mode has no state asleep",
        ),
    ],
)
def test_faults_name_file_rule_and_key(tmp_path, before, after, fault):
    assert before in RULE
    (found,) = faults(tmp_path, RULE.replace(before, after, 1))
    assert found.startswith("rules.toml: alarm.hot")
    assert re.search(fault, found)


def test_all_faults_of_all_files_at_once(tmp_path):
    one, two, three = (tmp_path / f"{name}.toml" for name in ("one", "two", "three"))
    one.write_text(RULE.replace('cause = "c"', "").replace('action = "a"', ""), "utf-8")
    two.write_text("[[alarm]\n", "utf-8")
    three.write_text(RULE + RULE, "utf-8")
    with pytest.raises(RuleError) as caught:
        load([one, two, three])
    keys = [(fault.file, fault.key) for fault in caught.value.faults]
    assert keys == [
        ("one.toml", "alarm.hot.cause"),
        ("one.toml", "alarm.hot.action"),
        ("two.toml", "file"),
        ("three.toml", "alarm.hot"),
    ]


def every_rule(rules: RuleSet) -> list[AlarmRule]:
    return list(rules.alarms.values())


def test_builtin_rules_state_their_basis(builtin_rules):
    assert [rule.id for rule in every_rule(builtin_rules) if not rule.basis] == []


def test_builtin_levels_grow_more_severe(builtin_rules):
    for rule in every_rule(builtin_rules):
        priorities = [level.priority for level in rule.level]
        assert priorities == sorted(priorities, reverse=True), rule.id


def test_a_leak_is_high_latching_and_at_once(builtin_rules):
    leak = builtin_rules.alarms["leak"]
    assert leak.latching
    assert leak.safety
    assert (leak.level[0].priority, leak.on_delay_s) == (Priority.HIGH, 0)
