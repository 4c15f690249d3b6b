"""What the report says of the maps: whether they show what the network has learned, and peak on known lesions."""

from pneumonia.audits.map_check import MapSimilarity
from pneumonia.audits.pointing import Pointing
from pneumonia.metrics.registry import value_of
from pneumonia.report.words import Finding, Level, finding, say_number, say_percent

ALIKE = 0.5  # rank correlation from which the maps of a shuffled network are called alike


def judge_maps(map_similarity: MapSimilarity) -> Finding | None:
    """Say if maps hardly change once the network's weights are shuffled.

    Args:
        map_similarity: The record of `audits.map_check.compare_maps`.
    """
    similarity = map_similarity["similarity"]
    if similarity is None or similarity < ALIKE:
        return None
    text = f"The maps of {map_similarity['n']} test images resemble those of the same network with shuffled weights "
    text += f"(mean rank correlation {say_number(similarity, 2)}), so they show the image rather than "
    text += "what the network has learned."
    return finding(Level.CAUTION, "The maps hardly depend on what the network has learned", text)


def judge_pointing(pointing: Pointing) -> Finding | None:
    """Say whether maps peak on lesions that are known, more often than by chance.

    Args:
        pointing: The record of `audits.pointing.measure_pointing`.
    """
    hits, share, others = pointing["hits"], pointing["lesion_share"], pointing.get("others_share")
    if share is None:
        return None
    text = (
        f"The peak of the map lies on the known lesion in {say_percent(hits['value'], 0)} of {pointing['n']} "
        f"test images with a known lesion (95% interval {say_percent(hits['low'], 0)} to "
        f"{say_percent(hits['high'], 0)}); a peak anywhere at random would in {say_percent(share, 0)}"
    )
    text += "." if others is None else f", the peaks of the other images' maps in {say_percent(others, 0)}."
    share = max(share, others or 0.0)
    # Three times as often on the lesion as by chance or, of large lesions, beside it a third as often.
    enough = min(3 * share, 1 - (1 - share) / 3)
    if hits["low"] is None or hits["low"] <= share or value_of(hits) < enough:
        return finding(Level.CAUTION, "Maps are not shown to peak on the lesions", text)
    return finding(Level.GOOD, "Maps peak on lesions more often than expected by chance", text)
