import pytest

from pneumonia.images.junk import find_masks

FOLDERS = """masks|mask|Masks|MASKS|lung_masks|LungMasks|lung masks|infection masks|leftMask|ManualMask|segmentation|
seg|segmentations|Segmentation_PNG|lung_segmentation|labels_png|labels|lungs|annotations|Annotation|ground truth|
GroundTruth|ground_truth|gt|heatmaps|heat_map|heatmap|saliency|gradcam|Grad-CAM|overlays|contours|ROI|bboxes|
Masken|máscaras|thumbnails|掩膜|masks_224|01_masks"""


@pytest.mark.parametrize("folder", FOLDERS.replace("\n", "").split("|"))
@pytest.mark.parametrize(
    "layout", ["NORMAL/images/{n}.png|NORMAL/{f}/{n}.png", "images/NORMAL/{n}.png|{f}/NORMAL/{n}.png",
               "train/NORMAL/{n}.png|train/NORMAL/{f}/{n}.png", "set/NORMAL/{n}.png|set/{f}/{n}.png"]
)  # fmt: skip
def test_a_folder_of_masks_is_known_by_its_name_beside_images(folder, layout):
    image, mask = layout.split("|")
    images = [image.format(n=n, f=folder) for n in range(3)]
    masks = [mask.format(n=n, f=folder) for n in range(3)]

    assert find_masks([*images, *masks]) == set(masks)


@pytest.mark.parametrize(
    "names",
    [
        ["NORMAL/1.png", "PNEUMONIA/2.png"],
        ["with_mask/1.png", "without_mask/2.png"],
        ["masks/NORMAL/1.png", "masks/PNEUMONIA/2.png"],
        ["lung_segmentation_set/NORMAL/1.png", "lung_segmentation_set/PNEUMONIA/2.png"],
        ["lungs/1.png", "heart/2.png"],
        ["left/1.png", "right/2.png", "NORMAL/3.png"],
        ["NORMAL/unmasked/1.png", "NORMAL/plain/2.png"],
        ["NORMAL/1_label.png", "NORMAL/2_label.png"],
        [
            "NORMAL/1.png",
            "NORMAL/1_2.png",
            "NORMAL/1_left.png",
            "NORMAL/1a.png",
            "NORMAL/1_camille.png",
            "NORMAL/mask_of_1.png",
        ],
        ["train/NORMAL/1.png", "val/NORMAL/2.png", "test/NORMAL/3.png"],
    ],
)
def test_images_are_no_masks(names):
    assert find_masks(names) == set()


@pytest.mark.parametrize(
    "mask", ["1_mask.png", "1-mask.png", "1_MASK.PNG", "1_seg.jpg", "mask_1.png", "1.mask.png", "1_gt.png",
             "1mask.png", "1Mask.png", "1_lung_mask.png", "1_left_mask.png", "1_mask_left.png", "1_mask1.png",
             "1_masked.png", "1_gradcam.png", "1_cam.png", "1_annotated.png", "1_thumb.png", "1_bbox.png",
             "1_contour.png", "seg-1.png", "1_lungs.png", "1_分割.png"]
)  # fmt: skip
def test_a_mask_is_known_by_its_name_beside_its_image(mask):
    assert find_masks(["a/1.png", "a/2.png", f"a/{mask}", f"b/{mask}"]) == {f"a/{mask}"}
