import pandas as pd

from pneumonia.split.folds import name_place, order_groups


def rows_of(*names):
    """Images of class N at these paths, each a group of its own, named by its number in the list."""
    return pd.DataFrame({"path": names, "label": "N", "group": [str(place) for place in range(len(names))]})


def test_folders_of_split_and_class_are_no_part_of_the_form_but_folders_of_patients_are():
    assert name_place("data/Train/normal/IM-0115-0001.jpeg", "NORMAL") == ("data/IM-#-#.jpeg", (115, 1))
    assert name_place("test/NORMAL/p7/view1.png", "NORMAL") == ("p#/view#.png", (7, 1))


def test_groups_are_ordered_by_number_within_each_form_of_names_whatever_the_order_of_the_files():
    numbers = [*range(100, 0, -5), *range(3, 90, 3)]
    rows = rows_of(*(f"train/N/IM-{number}.png" for number in numbers), *(f"test/N/x{n:03}.png" for n in range(20)))

    order = order_groups(rows.sample(frac=1, random_state=0))

    assert order["form"].tolist() == ["IM-#.png"] * 49 + ["x#.png"] * 20
    by_number = sorted(range(49), key=lambda place: (numbers[place], place))
    assert [numbers[int(group)] for group in order["group"][:49]] == [numbers[place] for place in by_number]


def test_a_group_has_the_place_of_its_first_image_and_the_numbers_of_uids_may_be_long():
    uids = [f"1.2.840.{10**30 + number}.dcm" for number in range(21)]
    rows = rows_of(*uids).assign(group=[*"abcdefghijklmnopqrst", "a"])

    assert order_groups(rows)["group"].tolist() == list("abcdefghijklmnopqrst")


def test_names_of_random_letters_and_few_names_of_a_form_have_no_order():
    random = [f"{'abcdefghij'[n % 10]}{n}{'klmnopqrst'[n // 10]}.png" for n in range(100)]

    assert order_groups(rows_of(*random, *(f"IM-{n}.png" for n in range(19)), *["name.png"] * 30)).empty
