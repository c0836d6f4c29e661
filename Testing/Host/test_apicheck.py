"""The static check finds seeded errors, and the stand-ins refuse what PythonQt refuses."""

from __future__ import annotations

import weakref

import apicheck
import hostpaths
import pytest


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ui.applyButton.enabeld = True", "cannot be set"),
        ("ui.applyButton.connect('cliked(bool)', f)", "no signal"),
        ("ui.sharpnessSlider.setMaximum(3)", "no member setMaximum"),
        ("ui.statusLabel.text()", "cannot be called"),
        ("ui.aplyButton.enabled = True", "no widget aplyButton"),
        ("button = ui.applyButton\nbutton.txt = ''", "cannot be set"),
        ("import qt\nqt.QLabel(text='a')", "keyword"),
        ("import qt\nisinstance(f, qt.QWidget)", "isinstance"),
        ("import qt\np = qt.QProcess()\np.connect('finished()', f)", "no signal"),
        ("import qt\nqt.QRegExp('a')", "not in the table"),
    ],
)
def test_seeded_errors_in_code_are_found(tmp_path, line, expected):
    path = tmp_path / "seeded.py"
    path.write_text(f"def f(ui):\n    pass\n\n\nui = None\n{line}\n", encoding="utf-8")
    problems = apicheck.checkPython(path, hostpaths.UI)
    assert len(problems) == 1 and expected in problems[0], problems


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name="suffix"', 'name="sufix"', "no property sufix"),
        ('class="QProgressBar"', 'class="QProgresBar"', "not in the table"),
        ('name="SlicerParameterName"', 'name="SlicerParametrName"', "unknown dynamic property"),
        ("mrmlSceneChanged(vtkMRMLScene*)", "mrmlSceneChangd(vtkMRMLScene*)", "has no mrmlSceneChangd"),
        ("<receiver>inputSelector</receiver>", "<receiver>applyButton</receiver>", "does not get the scene"),
        ('name="resetControlsButton"', 'name="applyButton"', "two widgets"),
    ],
)
def test_seeded_errors_in_the_ui_file_are_found(tmp_path, old, new, expected):
    text = hostpaths.UI.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "seeded.ui"
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert any(expected in problem for problem in apicheck.checkUi(path)), apicheck.checkUi(path)


@pytest.fixture
def qt():
    qtemu = pytest.importorskip("qtemu", reason="PySide6 or slicer-core is not installed")
    qtemu.install()
    import qt

    qtemu.slotErrors.clear()
    return qt


def test_properties_are_values_and_unknown_names_fail(qt):
    label = qt.QLabel("text")
    assert label.text == "text" and label.className() == "QLabel"
    with pytest.raises(AttributeError):
        label.txt  # noqa: B018
    with pytest.raises(AttributeError):
        label.txt = "a"
    with pytest.raises(AttributeError):
        label.enabled = "yes"
    with pytest.raises(TypeError):
        qt.QLabel(text="a")
    assert not isinstance(label, qt.QWidget)


def test_object_that_goes_inside_its_own_signal_fails_the_test(qt):
    import qtemu

    held = {"process": qt.QProcess()}
    held["process"].connect("errorOccurred(QProcess::ProcessError)", lambda error: held.clear())
    held["process"].start("/nowhere/python", [])
    # One reference is the caller's own, until the method returns.
    if held:
        held["process"].waitForStarted()
    assert not held and "inside its own signal errorOccurred" in qtemu.slotErrors.pop()


def test_object_without_parent_goes_with_its_last_reference(qt):
    import qtemu

    process, parent = qt.QProcess(), qt.QWidget()
    process.connect("started()", lambda: None)
    label = qt.QLabel("text", parent)
    real, held = weakref.ref(qtemu.unwrap(process)), weakref.ref(qtemu.unwrap(label))
    del process, label
    assert real() is None and held() is not None


def test_slots_get_as_many_arguments_as_they_take_and_errors_are_kept(qt):
    import qtemu

    seen, button = [], qt.QPushButton("b")
    none, one = (lambda: seen.append(())), (lambda checked: seen.append(checked))
    button.connect("clicked(bool)", none)
    button.connect("clicked(bool)", one)
    button.click()
    assert seen == [(), False]
    button.disconnect("clicked(bool)", one)
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert seen == [(), False, ()] and "ZeroDivisionError" in qtemu.slotErrors.pop()
    with pytest.raises(ValueError, match="no signal"):
        button.connect("cliked(bool)", none)
