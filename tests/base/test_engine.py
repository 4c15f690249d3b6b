import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pneumonia.base.engine import LOCAL, map_all, run_all, thread_count
from pneumonia.base.errors import UserError
from pneumonia.base.study_parameters import EngineParameters


def engine(pool="threads", workers=2):
    return EngineParameters(address="none", pool=pool, workers=workers)


def square(number):
    return number * number


def refuse_two(number):
    if number == 2:
        raise UserError("Two is refused.")
    return number


def die_once(path):
    """Kill this process by SIGKILL, but only once, if the path ends in "dies"; a file there says that it was done."""
    mark = Path(path)
    if mark.name == "dies" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_or_fail(folder):
    """Job 0 fails once another job waits; every other job waits until it is killed."""
    number, folder = folder
    if number:
        (Path(folder) / "waiting").touch()
        time.sleep(3600)
    while not (Path(folder) / "waiting").exists():
        time.sleep(0.01)
    raise UserError("It failed.")


@pytest.mark.parametrize("pool", ["threads", "processes"])
def test_every_long_job_is_done_once_and_told_with_its_number(pool):
    assert sorted(run_all(square, range(9), engine(pool))) == [(n, n * n) for n in range(9)]


def test_short_jobs_are_done_in_their_order():
    assert list(map_all(square, range(90), LOCAL)) == [n * n for n in range(90)]


def test_short_jobs_are_taken_a_few_at_a_time():
    taken = []
    results = map_all(square, (taken.append(n) or n for n in range(1000)), LOCAL)
    next(results)

    assert len(taken) <= 2 * thread_count() + 1
    results.close()


def test_an_error_of_a_short_job_is_passed_on_after_what_came_before():
    results = map_all(refuse_two, range(5), LOCAL)

    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(UserError, match="Two is refused"):
        next(results)


def test_no_job_is_no_result():
    assert list(run_all(square, [], engine())) == []
    assert list(map_all(square, [], LOCAL)) == []


@pytest.mark.parametrize("pool", ["threads", "processes"])
def test_an_error_of_a_job_is_passed_on_in_its_own_words(pool):
    with pytest.raises(UserError, match="Two is refused"):
        list(run_all(refuse_two, range(5), engine(pool, 1)))


def test_few_jobs_are_handed_over_before_they_can_begin():
    begun = []
    results = run_all(begun.append, range(100), engine(workers=1))
    next(results)
    time.sleep(0.1)

    assert len(begun) <= 4
    results.close()


def test_the_work_of_a_killed_process_is_taken_up_by_another(tmp_path):
    jobs = [tmp_path / "lives", tmp_path / "dies", tmp_path / "lives too"]
    results = dict(run_all(die_once, jobs, engine("processes")))

    assert set(results) == {0, 1, 2}
    assert os.getpid() not in results.values()


def test_a_job_whose_process_is_always_killed_ends_in_a_sentence():
    with pytest.raises(UserError, match="A process was killed 3 times in a row"):
        list(run_all(die, [0], engine("processes")))


def test_processes_do_not_outlive_an_error(tmp_path):
    with pytest.raises(UserError, match="It failed"):
        list(run_all(wait_or_fail, [(0, tmp_path), (1, tmp_path)], engine("processes")))


DRIVER = """
    import sys
    from pneumonia.base.engine import run_all
    from pneumonia.base.study_parameters import EngineParameters
    from tests.base.test_engine import tell_and_wait

    if __name__ == "__main__":
        list(run_all(tell_and_wait, [sys.argv[1]], EngineParameters(address="none", pool="processes", workers=1)))
"""


def tell_and_wait(path):
    Path(path).with_suffix(".part").write_text(str(os.getpid()))
    Path(path).with_suffix(".part").rename(path)
    time.sleep(3600)


def test_a_process_does_not_outlive_a_killed_run(tmp_path, project):
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    path = os.pathsep.join([str(project / "src"), str(project)])
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, script, told], env={**os.environ, "PYTHONPATH": path}) as driver:
        while not told.exists():
            time.sleep(0.02)
        driver.kill()
    pid = int(told.read_text())

    while is_running(pid):
        time.sleep(0.02)


def is_running(pid):
    """Tell whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
