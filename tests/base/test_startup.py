import json
import os
import subprocess
import sys

import pytest

from pneumonia.base.startup import tell_argument_problem, tell_encoding_problem, tell_memory_problem

SPEAK = "import os, sys; from pneumonia.base.startup import held_back_stderr\n"


def run(code):
    return subprocess.run([sys.executable, "-c", SPEAK + code], capture_output=True, text=True)


def test_what_is_said_at_the_start_is_held_back_also_from_c():
    done = run(
        "with held_back_stderr():\n os.write(2, b'noise')\n print('more', file=sys.stderr)\nos.write(2, b'after')"
    )
    assert (done.returncode, done.stderr) == (0, "after")


def test_what_is_logged_meanwhile_is_said():
    done = run(
        "import logging; logging.basicConfig(format='%(message)s')\n"
        "with held_back_stderr():\n os.write(2, b'noise')\n logging.warning('20 s left')\nlogging.warning('done')"
    )
    assert (done.returncode, done.stderr) == (0, "20 s left\ndone\n")


def test_what_was_said_is_passed_on_when_the_start_fails():
    done = run("with held_back_stderr():\n os.write(2, b'the cause\\n')\n raise OSError('no library')")
    assert done.returncode == 1
    assert done.stderr.startswith("the cause\n")
    assert "no library" in done.stderr


def test_threads_that_start_tensorflow_at_once_leave_standard_error_as_it_was():
    done = run(
        "import threading; from pneumonia.base.startup import start_tensorflow\n"
        "threads = [threading.Thread(target=start_tensorflow) for _ in range(3)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "os.write(2, b'after')"
    )
    assert (done.returncode, done.stderr) == (0, "after")


def test_what_keras_is_set_to_elsewhere_changes_no_result(tmp_path):
    elsewhere = {"backend": "jax", "floatx": "float16", "epsilon": 1e-3, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(elsewhere))
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    code = (
        "from pneumonia.base.startup import start_tensorflow; start_tensorflow()\n"
        "from keras import config; from keras.src.backend.config import max_epochs, max_steps_per_epoch\n"
        "print(config.backend(), config.floatx(), config.epsilon(), config.image_data_format())\n"
        "print(max_epochs(), max_steps_per_epoch())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **limits, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
    )

    assert done.stdout == "tensorflow float32 1e-07 channels_last\nNone None\n", done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8"])
def test_names_in_utf_8_are_no_problem(encoding):
    assert tell_encoding_problem(encoding) is None


@pytest.mark.parametrize("encoding", ["ascii", "ANSI_X3.4-1968", "iso8859-1"])
def test_names_in_another_encoding_are_reported_with_what_to_do(encoding):
    assert tell_encoding_problem(encoding).startswith(f"File names are read as {encoding} here")
    assert "PYTHONUTF8=1" in tell_encoding_problem(encoding)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run", "--params=images=/data/R\udcf6ntgen"], r"--params=images=/data/R\xf6ntgen is not UTF-8"),
        (["run", "--params=a=1,images.here=/data/${x"], "--params=a=1,images.here=/data/${x: ${ would be taken for"),
    ],
)
def test_an_argument_that_kedro_could_not_read_is_named(arguments, problem):
    assert tell_argument_problem(arguments).startswith(problem)
    assert "link" in tell_argument_problem(arguments)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--params=images.a=x", "--params=images.b=y"], "put all into one, --params=images.a=x,images.b=y."),
        (
            ["--params", "images=x", "--params", "training.seed=1"],
            "put all into one, --params=images=x,training.seed=1.",
        ),
        (["--params", "images=x", "--params=a=1"], "--params is given 2 times"),
        (["--load-versions=a:1", "--load-versions=b:2"], "put all into one, --load-versions=a:1,b:2."),
        (["--params=images=x,images.b=y"], "--params sets images and images.b, of which one replaces the other"),
        (["--params=images.b=y,images=x"], "--params sets images.b and images, "),
        (["--params=a.b=1,c=2,a.b=3"], "--params sets a.b and a.b, "),
    ],
)
def test_a_value_that_kedro_would_pass_over_is_named(arguments, problem):
    assert problem in tell_argument_problem(["kedro", "run", *arguments])


@pytest.mark.parametrize(
    "argument",
    ["images=/data/Röntgen,report.source=${globals:root}", "images.a=x,images.ab=y,a=1", "study.seeds=[0,1]"],
)
def test_other_arguments_are_no_problem(argument):
    assert tell_argument_problem(["run", f"--params={argument}"]) is None
    assert tell_argument_problem(["run", "--params", argument, "--load-versions=a:1,b:2"]) is None


def test_too_little_address_space_is_told():
    done = run(
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1_600_000_000,) * 2)\n"
        "from pneumonia.base.startup import tell_memory_problem as tell; print(tell(4e9), tell(1e9))"
    )
    assert done.stdout == (
        "This process may use 1.6 GB of address space (ulimit -v), and this run needs about 4 GB. "
        "Raise the limit and run again. None\n"
    )
    assert tell_memory_problem(0) is None


SETTINGS = "import os, sys, warnings; import pneumonia.settings\n"


def test_a_process_without_standard_error_works_and_writes_to_none_of_its_files(tmp_path):
    code = SETTINGS + "file = open('data', 'w'); sys.stderr.write('x'); os.write(2, b'noise'); file.write('data')"
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "$CODE" 2>&-'], cwd=tmp_path, env={**os.environ, "CODE": code}
    )
    assert done.returncode == 0
    assert (tmp_path / "data").read_text() == "data"


def test_warnings_of_other_packages_are_no_errors():
    code = SETTINGS + "warnings.warn('deprecated', DeprecationWarning); assert 'PYTHONWARNINGS' not in os.environ"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONWARNINGS": "error"})
    assert done.returncode == 0


def test_a_backend_that_does_not_exist_is_told_before_the_run():
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS], env={**os.environ, "MPLBACKEND": "nope"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The environment variable MPLBACKEND is wrong (Key backend: 'nope' is not a valid value for backend). "
        "Unset it and run again.\n"
    )


def test_that_nothing_can_be_written_to_for_a_while_is_told_before_the_run():
    code = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere']\n" + SETTINGS
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No folder for temporary files can be written to")
    assert "TMPDIR" in done.stderr
