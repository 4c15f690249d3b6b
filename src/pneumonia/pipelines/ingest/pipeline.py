"""The ingest pipeline: index the images, find copies, split, audit."""

from kedro.pipeline import Pipeline

from pneumonia.pipelines import node, stage
from pneumonia.pipelines.ingest import nodes
from pneumonia.split.leak_audit import audit_leaks
from pneumonia.split.summary import count_data_flow, tabulate_split


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "ingest",
        node(
            nodes.index_images,
            [*("chest_xrays", "index_cache", "params:ingest", "params:labels", "params:sources"), "params:engine"],
            ["image_index", "label_problems"],
        ),
        node(nodes.list_rejected, "image_index", "rejected_images"),
        node(nodes.list_duplicates, "image_index", "duplicate_images"),
        node(
            nodes.find_near_duplicates,
            ["chest_xrays", "image_index", "rejected_images", "params:ingest"],
            "near_duplicates",
        ),
        node(
            nodes.split_images, ["image_index", "rejected_images", "near_duplicates", "params:ingest"], "split_manifest"
        ),
        node(tabulate_split, ["split_manifest", "params:ingest"], "split_table"),
        node(nodes.draw_split, "split_table", "split_figure"),
        node(audit_leaks, ["image_index", "split_manifest", "near_duplicates", "params:ingest"], "leak_audit"),
        node(
            count_data_flow,
            ["chest_xrays", "image_index", "near_duplicates", "split_manifest", "params:ingest"],
            "data_flow",
        ),
    )
