"""The ingest pipeline: index the images, find copies, split, audit."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.ingest import figures, nodes
from pneumonia.split.leak_audit import audit_leaks
from pneumonia.split.summary import count_data_flow, tabulate_split


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                nodes.index_images,
                [*("chest_xrays", "index_cache", "params:ingest", "params:labels", "params:sources"), "params:engine"],
                ["image_index", "label_problems"],
                name="index_images",
            ),
            Node(nodes.list_rejected, "image_index", "rejected_images", name="list_rejected"),
            Node(nodes.list_duplicates, "image_index", "duplicate_images", name="list_duplicates"),
            Node(
                nodes.find_near_duplicates,
                ["chest_xrays", "image_index", "rejected_images", "params:ingest"],
                "near_duplicates",
                name="find_near_duplicates",
            ),
            Node(
                nodes.split_images,
                ["image_index", "rejected_images", "near_duplicates", "params:ingest"],
                "split_manifest",
                name="split_images",
            ),
            Node(tabulate_split, ["split_manifest", "params:ingest"], "split_table", name="tabulate_split"),
            Node(figures.draw_split, "split_table", "split_figure", name="draw_split"),
            Node(
                audit_leaks,
                ["image_index", "split_manifest", "near_duplicates", "params:ingest"],
                "leak_audit",
                name="audit_leaks",
            ),
            Node(
                count_data_flow,
                ["chest_xrays", "image_index", "near_duplicates", "split_manifest", "params:ingest"],
                "data_flow",
                name="count_data_flow",
            ),
        ],
        namespace="ingest",
        prefix_datasets_with_namespace=False,
        tags="ingest",
    )
