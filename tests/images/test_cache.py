import sqlite3

import pytest

from pneumonia.base.errors import UserError
from pneumonia.images.cache import FileState, IndexCache
from pneumonia.images.examine import Facts

STATE = FileState("train/NORMAL/a.jpeg", "v1|100|12345")
FACTS = Facts("ab" * 32, 80, 64, "L", "", "a note", "cd" * 32)


@pytest.fixture
def cache(tmp_path):
    """A cache that holds one file of the source "here"."""
    cache = IndexCache(tmp_path / "deep" / "cache.sqlite")
    with cache.open("here") as facts:
        facts.write([(STATE, FACTS)])
    return cache


def test_what_was_written_is_found_by_a_later_run(cache):
    with IndexCache(cache.path).open("here") as facts:
        assert facts.find(STATE) == FACTS


@pytest.mark.parametrize(
    ("source", "state"),
    [("there", STATE), ("here", STATE._replace(stamp="v1|100|12346")), ("here", STATE._replace(path="b.jpeg"))],
)
def test_another_source_stamp_or_path_is_not_known(cache, source, state):
    with cache.open(source) as facts:
        assert facts.find(state) is None


def test_a_file_rewritten_replaces_what_was_known(cache):
    newer = STATE._replace(stamp="v1|100|99999")
    with cache.open("here") as facts:
        facts.write([(newer, FACTS._replace(mode="RGB"))])

        assert facts.find(STATE) is None
        assert facts.find(newer).mode == "RGB"


def test_files_that_are_gone_are_forgotten_but_not_those_of_other_sources(cache):
    with cache.open("there") as facts:
        facts.write([(STATE, FACTS)])
    with cache.open("here") as facts:
        facts.forget_all_but({"train/NORMAL/b.jpeg"}.__contains__)
        assert facts.find(STATE) is None
    with cache.open("there") as facts:
        assert facts.find(STATE) == FACTS


@pytest.fixture
def filled(cache):
    """A cache of several pages, with the states of its files."""
    states = [STATE._replace(path=f"{n}.jpeg") for n in range(200)]
    with cache.open("here") as facts:
        facts.write((state, FACTS) for state in states)
    assert cache.path.stat().st_size > 5 * 4096
    return cache, states


def test_a_cache_without_its_last_pages_is_started_over_with_a_warning(filled, caplog):
    cache, states = filled
    content = cache.path.read_bytes()
    for size in range(4096, len(content), 4096):
        cache.path.write_bytes(content[:size])
        caplog.clear()

        with cache.open("here") as facts:
            assert {facts.find(state) for state in states} == {None}
        assert "is damaged" in caplog.text


def test_a_cache_cut_or_changed_at_any_byte_gives_no_wrong_facts(filled):
    cache, states = filled
    content = cache.path.read_bytes()
    damaged = [content[:size] for size in range(1, len(content), 4999)]
    damaged += [content[:place] + b"\xff\x01" + content[place + 2 :] for place in range(100, len(content) - 2, 2999)]
    damaged.append(content[:-1])
    for data in damaged:
        cache.path.write_bytes(data)

        with cache.open("here") as facts:
            assert {facts.find(state) for state in states} <= {None, FACTS}


def test_a_file_that_is_no_cache_is_started_over_with_a_warning(cache, caplog):
    cache.path.write_bytes(b"something else" * 1000)

    with cache.open("here") as facts:
        assert facts.find(STATE) is None
    assert "is damaged (file is not a database)" in caplog.text


def test_a_cache_of_another_release_is_started_over_with_a_warning(cache, caplog):
    connection = sqlite3.connect(cache.path)
    connection.execute("ALTER TABLE facts DROP COLUMN note")
    connection.commit()
    connection.close()

    with cache.open("here") as facts:
        assert facts.find(STATE) is None
    assert "cache.sqlite was written by another release: reading all images again" in caplog.text


def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "cache.sqlite").mkdir()

    with (
        pytest.raises(UserError, match=r"index cache cannot be used: .*cache.sqlite: Is a folder"),
        IndexCache(tmp_path / "cache.sqlite").open("here"),
    ):
        pass
