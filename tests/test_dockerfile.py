"""What can be checked of the Dockerfile without building it."""

import re
from pathlib import PurePosixPath

import pytest

PRIVATE = ("data/01_raw/chest_xray/train/NORMAL/1.jpeg", "data", "conf/local/credentials.yml", ".git/config", "build/x")


@pytest.fixture(scope="module")
def copied(project):
    """What the Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", (project / "Dockerfile").read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.fixture(scope="module")
def sent(project):
    """Tell whether a path gets past .dockerignore: the last pattern that matches it or a folder above it decides."""
    lines = (project / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]

    def sent(path):
        parts = [PurePosixPath(path), *PurePosixPath(path).parents][:-1]
        found = [pattern for pattern in patterns if any(matches(part, pattern.lstrip("!")) for part in parts)]
        return not found or found[-1].startswith("!")

    return sent


def matches(path, pattern):
    """Match as Docker does: from the top, and `*` stays within one name."""
    return PurePosixPath("/", path).match(f"/{pattern}")


def test_what_is_copied_is_there_and_sent(project, copied, sent):
    assert "src/pneumonia" in copied
    assert "conf" in copied
    assert [path for path in copied if not (project / path).exists() or not sent(path)] == []
    assert sent("src/pneumonia/report/templates/report.html")
    assert sent("conf/local/.gitkeep"), "the environment that counts where no other is named must be there"


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_private_or_big_stays_out(sent, path):
    assert not sent(path)


def test_it_does_not_run_as_root_and_keeps_what_it_makes(project):
    last_stage = (project / "Dockerfile").read_text().rpartition("\nFROM ")[2]

    assert re.search(r"^USER (?!root$|0$)\w+$", last_stage, re.MULTILINE)
    assert re.search(r"^VOLUME /home/pneumonia/data$", last_stage, re.MULTILINE)
