"""What was used for a result is told in the same words everywhere."""

import pytest

from DSADeblurLib.used import Used, listed
from DSADeblurLib.xa import plan_subtraction, read_run


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((7,), "7"),
        ((1, 2), "1,2"),
        ((4, 5, 6, 7), "4-7"),
        ((1, 3, 4), "1,3,4"),
        (tuple(range(1, 100, 2)), ",".join(map(str, range(1, 40, 2))) + ",..."),
    ],
)
def test_frame_numbers_in_short(numbers, words):
    assert listed(numbers) == words


@pytest.mark.parametrize("masks", [(1,), (1, 2), (1, 2, 3), (1, 3)])
def test_mask_frames_are_the_same_words_in_table_and_derived_object(make_run, masks):
    run = read_run(make_run().path)
    plan = plan_subtraction(run, mask_frames=masks)
    used = Used("1", "m", "0", "cpu", "torch", "float32", None, None, "", plan.mask_frames, (4, 5), 1.0)
    words = f"mask frames {listed(masks)}"
    assert used.summary().endswith(words) and words in plan.describe()
