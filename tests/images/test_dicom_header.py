import pytest

from pneumonia.images.dicom_header import is_called_lateral

LATERAL = (
    "700000_LAT.png", "12_lateral.jpg", "study1/view2_lateral.jpg", "NORMAL/Lateral/1.png", "chestLAT.png",
    "12LAT3.png", "x-lat-2.jpeg", "p_LLAT.png", "1_latérale.png", "seitlich 3.png", "profil/7.png", "胸部侧位片1.jpg",
)  # fmt: skip
NOT_LATERAL = (
    "Latino_3.png", "plate.png", "platelet_2.png", "flat.png", "late_1.png", "translation.png", "LATVIA/1.png",
    "12_L.png", "12_LL.png", "laterality_1.png", "bilateral_1.png", "bi-lateral_1.png", "unilateral/3.png",
    "profile/1.png", "PA_lat.png", "1_frontal_lateral.png", "lateral/1_PA.png", "NORMAL/IM-0115-0001.jpeg",
)  # fmt: skip


@pytest.mark.parametrize("path", LATERAL)
def test_a_file_is_called_lateral_by_a_word_of_its_own(path):
    assert is_called_lateral(path)


@pytest.mark.parametrize("path", NOT_LATERAL)
def test_a_part_of_a_word_a_side_or_a_frontal_word_beside_it_calls_no_file_lateral(path):
    assert not is_called_lateral(path)


def test_a_word_that_a_user_gave_for_frontal_chests_calls_no_file_lateral():
    assert not is_called_lateral("12_LAT.png", ["lat"])
