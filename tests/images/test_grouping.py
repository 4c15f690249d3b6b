import pytest
import yaml

from pneumonia.base.errors import UserError
from pneumonia.images import grouping
from pneumonia.images.grouping import NameParts, etiology_of, group_of, link_groups, parse_name, read_groups, split_key
from pneumonia.images.tables import read_table


@pytest.fixture(scope="module")
def patterns(project):
    """The patterns as delivered."""
    return yaml.safe_load((project / "conf/base/parameters_ingest.yml").read_text())["ingest"]["group_patterns"]


@pytest.mark.parametrize(
    ("name", "number", "etiology", "group", "conservative"),
    [
        ("person23_bacteria_106.jpeg", "23", "bacteria", "bacteria-23", "number-23"),
        ("person23_virus_7.jpeg", "23", "virus", "virus-23", "number-23"),
        ("person447_virus_921_1.jpeg", "447", "virus", "virus-447", "number-447"),
        ("IM-0115-0001.jpeg", "IM-0115", "", "IM-0115", "IM-0115"),
        ("IM-0429-0001-0002.jpeg", "IM-0429", "", "IM-0429", "IM-0429"),
        ("NORMAL2-IM-1427-0001.jpeg", "NORMAL2-IM-1427", "", "NORMAL2-IM-1427", "NORMAL2-IM-1427"),
        ("BACTERIA-1008087-0001.jpeg", "1008087", "bacteria", "bacteria-1008087", "number-1008087"),
        ("VIRUS-99142-0005.jpeg", "99142", "virus", "virus-99142", "number-99142"),
        ("NORMAL-1003233-0001.jpeg", "NORMAL-1003233", "", "NORMAL-1003233", "NORMAL-1003233"),
    ],
)
def test_every_form_of_the_published_names_is_read(patterns, name, number, etiology, group, conservative):
    parts = parse_name(f"train/PNEUMONIA/{name}", patterns)

    assert parts == NameParts(number, etiology)
    assert (parts.group, parts.conservative_group) == (group, conservative)


@pytest.mark.parametrize("name", ["person_bacteria_1.jpeg", "xperson1_virus_2.jpeg", "IM-0115.jpeg", "scan.jpeg"])
def test_another_name_has_no_group(patterns, name):
    assert parse_name(name, patterns) is None
    assert group_of(f"train/NORMAL/{name}", patterns, None) == f"train/NORMAL/{name}"


def test_the_etiology_is_none_for_the_negative_class_and_unknown_where_the_name_is_silent(patterns):
    assert etiology_of("a/person1_virus_2.jpeg", True, patterns) == "virus"
    assert etiology_of("a/scan.jpeg", True, patterns) == "unknown"
    assert etiology_of("a/IM-0115-0001.jpeg", False, patterns) == "none"


def test_listed_groups_go_before_names(patterns):
    path = "train/NORMAL/IM-0115-0001.jpeg"

    assert group_of(path, patterns, {path: "child 7"}) == "child 7"


def test_what_stays_together_depends_on_group_by(patterns):
    path = "train/PNEUMONIA/person23_virus_7.jpeg"

    keys = [split_key(path, "virus-23", by, patterns) for by in ("etiology_number", "number", "image")]
    assert keys == ["virus-23", "number-23", path]


def test_a_listed_group_is_kept_when_grouping_by_number(patterns):
    assert split_key("train/PNEUMONIA/person23_virus_7.jpeg", "child 7", "number", patterns) == "child 7"


def test_a_groups_file_is_read_with_any_further_columns():
    content = "\ufeffgroup,path,age\nNA,train/NORMAL/a.jpeg,3\n007,train/NORMAL/b.jpeg,4\n".encode()

    assert read_groups(read_table(content, "groups.csv")) == {"train/NORMAL/a.jpeg": "NA", "train/NORMAL/b.jpeg": "007"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,patient\na,1\n", r"needs the columns path and group; it has file, patient"),
        (b"", "needs the columns path and group; it has none"),
        (b"path,group\na.jpeg,\n", "line 2: a path and a group are needed"),
        (b"path,group\na.jpeg,1\na.jpeg,2\n", "lists a.jpeg under two groups, 1 and 2"),
        (b"path,group\n\0\xff,1\n", "not a CSV table in UTF-8"),
    ],
)
def test_a_groups_file_that_cannot_be_trusted_is_refused(content, message):
    with pytest.raises(UserError, match=message):
        read_groups(read_table(content, "groups.csv"))


def test_groups_are_joined_along_chains_whatever_the_order_of_pairs():
    pairs = [("e", "d"), ("c", "b"), ("d", "c")]

    expected = {"a": "a", "b": "b", "c": "b", "d": "b", "e": "b"}
    assert link_groups("abcde", pairs) == link_groups("edcba", pairs[::-1]) == expected


def test_a_pattern_without_end_is_refused_after_a_while(monkeypatch):
    monkeypatch.setattr(grouping, "MATCHING_SECONDS", 0.1)

    with pytest.raises(UserError, match=r"with the file name 'a+' takes too long"):
        parse_name(f"train/NORMAL/{'a' * 200}.png", [r"(?P<number>(a|aa)+)b"])
