"""Plans: data that survives JSON, refuses nonsense, and finds the mask of a frame."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.request import REGISTRATIONS
from DSADeblurLib.xa import PlannedMask, SubtractionPlan

_SHIFTS = st.tuples(*[st.floats(-50, 50)] * 2)


@st.composite
def plans(draw):
    numbers = draw(st.lists(st.integers(1, 400), min_size=1, max_size=20, unique=True))
    cut = draw(st.integers(0, len(numbers) - 1))
    masks = [
        PlannedMask(
            tuple(draw(st.lists(st.integers(1, 400), min_size=1, max_size=4))),
            tuple(part),
            draw(_SHIFTS),
            draw(st.integers(1, 5)),
        )
        for part in (numbers[:cut], numbers[cut:])
        if part
    ]
    slope = draw(st.none() | st.floats(-1, 1))
    return SubtractionPlan(tuple(masks), draw(st.sampled_from(REGISTRATIONS)), slope, tuple(draw(st.lists(st.text()))))


@given(plans())
def test_plans_survive_json(plan):
    assert SubtractionPlan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


@given(plans(), st.integers(1, 400), st.integers(1, 400))
def test_part_of_a_plan(plan, one, other):
    first, last = sorted((one, other))
    expected = tuple(number for number in plan.contrast_frames if first <= number <= last)
    if not expected:
        with pytest.raises(ValueError, match=f"No contrast frame lies between frames {first} and {last}"):
            plan.between(first, last)
        return
    part = plan.between(first, last)
    assert part.contrast_frames == expected
    for number in expected:
        assert part.mask_of(number).frames == plan.mask_of(number).frames
        assert part.averaged(number) == plan.averaged(number)


@given(plans(), st.integers(1, 50))
def test_counting_from_another_frame(plan, first):
    part = plan.counted_from(first)
    assert part.contrast_frames == tuple(number - first + 1 for number in plan.contrast_frames)
    assert part.counted_from(2 - first) == plan


@pytest.mark.parametrize(
    "wrong",
    [
        {"masks": []},
        {},
        {"masks": [{"frames": [], "contrast_frames": [2]}]},
        {"masks": [{"frames": [1]}]},
        {"masks": [{"frames": [1], "contrast_frames": [2], "shift": [float("nan"), 0]}]},
        {"masks": [{"frames": [1], "contrast_frames": [2], "shift": [0.5]}]},
        {"masks": [{"frames": [1], "contrast_frames": [2], "averaging": 0}]},
        {"masks": [{"frames": [1], "contrast_frames": [2]}] * 2},
        {"masks": [{"frames": [1], "contrast_frames": [2]}], "registration": "magic"},
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError):
        SubtractionPlan.from_dict(wrong)


def test_frames_without_a_mask():
    with pytest.raises(KeyError):
        SubtractionPlan.single((1,), (2,)).mask_of(3)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            SubtractionPlan.single((1, 2), (5, 6), (0.5, -1), 2),
            "mean of mask frames 1,2, shift 0.5 rows -1 columns, 2 contrast frame(s) averaged",
        ),
        (
            SubtractionPlan((PlannedMask((1,), (4,)), PlannedMask((2,), (5,)), PlannedMask((3,), (6,))), "shift"),
            "each frame has a mask frame of its own, from 1-3, shift 0 rows 0 columns, 1 contrast frame(s) averaged, "
            "mask then registered to each frame by one shift",
        ),
        (
            SubtractionPlan((PlannedMask((1, 2), (4, 5, 6)), PlannedMask((2, 3), (8, 9)))),
            "mean of mask frames 1,2 for 4-6; mean of mask frames 2,3 for 8,9, shift 0 rows 0 columns, "
            "1 contrast frame(s) averaged",
        ),
    ],
)
def test_description(plan, words):
    assert plan.describe() == words
