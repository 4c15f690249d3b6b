"""A run in which nothing is said for long: the clock is the test's own."""

import logging

import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.pipeline import Node

from pneumonia.base.progress import RUNNING, follow
from pneumonia.runs.advice import next_options
from pneumonia.runs.stages import (
    LONG,
    REST,
    SECONDS_OF_SILENCE,
    STAGES,
    Reminder,
    Stages,
    remind_of,
    seconds_of,
    stop_reminding,
)

configure_project("pneumonia")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def node(name, inputs, outputs):
    return Node(print, inputs, outputs, name=name.partition(".")[2], namespace=name.partition(".")[0])


NODES = [
    node("ingest.index_images", "images", "index"),
    node("evaluation.read_lesions", "index", "lesions"),
    node("training.train_network", "index", "model"),
    node("evaluation.score_images", "model", "scores"),
]


def run(stages, nodes, then=lambda node: None):
    """Let nodes run, as Kedro does: inputs, function, outputs."""
    for one in nodes:
        stages.enter(one)
        then(one)
        for output in one.outputs:
            stages.save(output)


def test_each_stage_is_announced_and_says_what_it_found_before_the_next_begins(clock, log):
    stages = Stages(NODES, lambda made: [f"Made: {', '.join(sorted(made))}."], clock)
    stages.begin()
    run(stages, NODES)

    assert [message.partition(":")[0] for message in log.messages] == [
        "Ingest (1 of 3)", "Made", "Training (2 of 3)", "Made", "Evaluation (3 of 3)", "Made",
    ]  # fmt: skip
    assert log.messages[3] == "Made: model."
    assert log.messages[5] == "Made: lesions, scores."
    stages.end()
    assert len(log.messages) == 6


def test_what_other_processes_ran_is_told_at_the_end(clock, log):
    stages = Stages(NODES, lambda made: [f"Made: {len(made)}."], clock)
    stages.begin()
    assert stages.status().words == "The run goes on in other processes"
    stages.end()

    assert log.messages[1:] == ["Made: 1.", "Made: 1.", "Made: 2."]


def test_a_run_of_one_stage_counts_no_stages(clock, log):
    Stages([NODES[0], node("ingest.split", "index", "split")], lambda made: [], clock).begin()
    Stages(NODES[:1], lambda made: [], clock).begin()

    assert log.messages == [f"Ingest: {STAGES['ingest']}.", "Ingest: index images."]


def test_no_node_passes_in_silence_however_long_it_takes(clock, log):
    """The whole default run, in which every node takes three times as long as may be silent."""
    nodes = pipelines["__default__"].nodes
    stages = Stages(nodes, lambda made: [], clock)
    reminder = Reminder(stages, clock, on_terminal=False)
    logging.getLogger().addHandler(reminder)
    said = []

    def take_long(_):
        for _ in range(int(3 * SECONDS_OF_SILENCE)):
            clock.now += 1.0
            before = len(log.messages)
            reminder.look()
            said.extend([clock.now] * (len(log.messages) - before))

    stages.begin()
    try:
        run(stages, nodes, take_long)
    finally:
        logging.getLogger().removeHandler(reminder)
    gaps = [later - earlier for earlier, later in zip([0.0, *said], said, strict=False)]

    assert max(gaps) == SECONDS_OF_SILENCE
    for one in nodes:
        assert any(one.name.rpartition(".")[2].replace("_", " ") in message for message in log.messages), one.name


def test_a_run_that_speaks_is_not_interrupted(clock, log):
    stages = Stages(NODES, lambda made: [], clock)
    reminder = Reminder(stages, clock, on_terminal=False)
    logging.getLogger().addHandler(reminder)
    try:
        clock.now = SECONDS_OF_SILENCE - 1
        logging.getLogger("pneumonia").info("Epoch 1")
        clock.now += SECONDS_OF_SILENCE - 1
        reminder.look()
        assert log.messages == ["Epoch 1"]
    finally:
        logging.getLogger().removeHandler(reminder)


def test_the_time_left_is_that_of_the_stage(clock):
    """A step that is half done after 30 s, and a second one that takes as long."""
    first, second = node("inputs.store_pixels", "images", "pixels"), node("inputs.draw_batch", "pixels", "batch")
    stages = Stages([first, second], lambda made: [], clock)
    stages.begin()
    stages.enter(first)
    with follow(100, "Decoding") as advance:
        advance(50)
        clock.now = 30.0
        share, words = stages.status()

    longest = seconds_of(first, 100)
    whole, done = longest + REST, 0.5 * longest
    left = (whole - done) * (30 + 0.1 * whole) / (done + 0.1 * whole)
    assert share == pytest.approx(done / whole)
    assert words == f"Inputs: step 1 of 2, decoding: 50 of 100 images; about {left:.0f} s left"
    stages.save("pixels")
    stages.enter(second)
    assert stages.status().words.startswith("Inputs: step 2 of 2, draw batch; about ")


def test_no_time_is_told_before_anything_is_done_nor_of_a_stage_that_has_not_begun(clock):
    stages = Stages(NODES, lambda made: [], clock)
    stages.begin()
    stages.enter(NODES[0])
    with follow(100, "Reading") as advance:
        clock.now = 30.0
        assert stages.status().words == "Ingest: step 1 of 1, reading: 0 of 100 images"
        advance(50)
        assert stages.status().words.startswith("Ingest: step 1 of 1, reading: 50 of 100 images; about ")
    stages.enter(NODES[1])
    clock.now = 31.0
    assert stages.status().words == "Evaluation: step 1 of 2, read lesions"


def test_time_passes_even_in_a_step_that_counts_nothing(clock):
    stages = Stages(NODES[2:3], lambda made: [], clock)
    stages.begin()
    stages.enter(NODES[2])
    shares = []
    for clock.now in (1.0, 10.0, 1000.0):
        shares.append(stages.status().share)

    assert shares == sorted(set(shares))
    assert shares[-1] == 0.9  # until it is done


def test_more_images_take_longer():
    few, many = (seconds_of(NODES[0], images) for images in (1000, 5000))
    assert (few, many) == (13.0, 45.0)


def test_steps_within_steps_count_together():
    with (
        follow(4, "Training", "networks", alone=False) as outer,
        follow(10, "Fitting", "batches", alone=False) as inner,
    ):
        outer(1)
        inner(5)
        assert RUNNING.share() == (1 + 5 / 10) / 4
    assert RUNNING == []


def test_every_stage_of_every_pipeline_is_described_and_every_long_node_exists():
    nodes = [one for pipeline in pipelines.values() for one in pipeline.nodes]

    assert {one.namespace for one in nodes} == STAGES.keys()
    assert LONG.keys() <= {one.name for one in nodes}


def reminders():
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, Reminder)]


def test_a_run_that_ended_says_nothing_more_even_if_nobody_saw_its_end():
    remind_of(Stages(NODES, lambda made: []))
    remind_of(Stages(NODES, lambda made: []))
    assert RUNNING.are_shown
    assert len(reminders()) == 1
    stop_reminding()

    assert not RUNNING.are_shown
    assert reminders() == []


@pytest.mark.parametrize(
    ("pipeline", "options"),
    [
        ("ingest", "--pipelines=training"),
        ("imbalance", "--pipelines=training"),
        ("inputs", "--pipelines=training"),
        ("training", "--pipelines=evaluation"),
        ("evaluation", "--pipelines=prediction --params=images=PATH"),
        ("__default__", "--pipelines=prediction --params=images=PATH"),
        ("adaptation", "--pipelines=comparison"),
        ("prediction", ""),
        ("study", ""),
    ],
)
def test_a_run_names_the_one_that_usually_comes_next(pipeline, options):
    assert next_options(pipelines[pipeline], has_model=False) == options


def test_what_is_made_again_for_a_model_leads_to_no_other_training():
    assert next_options(pipelines["imbalance"], has_model=True) == ""
    assert next_options(pipelines["training"], has_model=True) == "--pipelines=evaluation"
