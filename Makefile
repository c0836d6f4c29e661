# `make demo` and `make test` do everything on a machine with nothing but Python 3.10 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= out
ROUNDS ?= 20
FILES  ?= 20000
RECIPE ?= compact
MODEL  ?= compact
# Processes that run the tests.
TESTERS ?= 2
MINUTES ?= 9
DEVICE ?= cuda
# Of simulated frames that are measured on: test, or validation, on which choices are made.
SET ?= test
# Of the tables: what the networks say themselves, before part of the noise is given back.
NOISE_REDUCTION ?= 1

# A CPU build of PyTorch. For a CUDA build: make demo TORCH_INDEX=https://download.pytorch.org/whl/cu128
TORCH       ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

export PYTHONUNBUFFERED := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-fast fuzz conformance memory lint screenshots look look-real benchmark sample evaluate measure retention trust null-studies train study gpu gpu-wheels clean help

help:
	@echo "make demo         deblur the bundled sample run and draw the compare layout"
	@echo "make test         style, types and the whole test suite"
	@echo "make test-fast    the part of the suite that takes a minute or so"
	@echo "make lint         style and types alone"
	@echo "make fuzz         $(FILES) damaged files through read, subtract and write, damaged frames in every syntax, then the tests of properties"
	@echo "make conformance  every kind of derived object judged by every DICOM tool and reader that is installed"
	@echo "make memory       peak memory of reading, subtracting and writing 300 frames of 1024 x 1024"
	@echo "make screenshots  pictures of the panel and of the compare layout, into $(OUT)"
	@echo "make benchmark    timings on this machine"
	@echo "make look         real and simulated frames in one picture, into $(OUT)"
	@echo "make look-real    frames of REAL=FOLDER at three degrees of noise reduction, into OUT=FOLDER outside of here"
	@echo "make sample       simulate the bundled sample run again"
	@echo "make train        train a bundled model again: RECIPE=compact (hours; resumes from its checkpoint)"
	@echo "make study        compare losses, networks and inputs at equal steps (hours; goes on where it stopped)"
	@echo "make evaluate     the tables of the model cards: models against classical methods, and the targets"
	@echo "make measure      diameters and stenoses of simulated vessels, on original and deblurred frames; REAL='--static FOLDER' for still real runs"
	@echo "make gpu-wheels   collect what a machine with a GPU lacks, into wheels/"
	@echo "make gpu          tests, benchmark and a training on a GPU, within MINUTES=$(MINUTES); DEVICE=cpu rehearses it"
	@echo "make retention    what is left of thin faint vessels; REAL='--real FOLDER' puts them into real frames"
	@echo "make null-studies how often the tests of reader studies find differences where there are none"
	@echo "make trust        whether lines that a network invents are found; REAL='--real FOLDER' for real frames"

demo: $(VENV)/.installed-scene
	@$(BIN)/python Testing/Host/demo.py $(OUT)/demo

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile

test-fast: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile -m "not slow"

fuzz: $(VENV)/.installed-test
	$(BIN)/python Testing/fuzz/run.py --files $(FILES) --seconds-per-file 5 --memory 2000 --keep $(OUT)/fuzz
	$(BIN)/python Testing/damage/run.py
	for round in $$(seq $(ROUNDS)); do $(BIN)/python -m pytest -q --hypothesis-profile=fuzz -m hypothesis || exit 1; done

conformance: $(VENV)/.installed-test
	$(BIN)/python Testing/conformance/run.py

memory: $(VENV)/.installed-test
	$(BIN)/python Testing/benchmark/memory.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy

screenshots: $(VENV)/.installed-test
	$(BIN)/python Testing/Host/screenshots.py $(OUT)/screenshots
	$(BIN)/python Testing/Host/panel_pictures.py $(OUT)/screenshots
	$(BIN)/python Testing/Host/measured_sample.py $(OUT)/screenshots

benchmark: $(VENV)/.installed-test
	$(BIN)/python Testing/benchmark/run.py --output $(OUT)/benchmark.json

look: $(VENV)/.installed
	$(BIN)/python Testing/look_alike.py $(OUT)/look.png

look-real: $(VENV)/.installed
	$(BIN)/python -m DSADeblurLib.lab.evaluation.real $(REAL) --model $(MODEL) --output $(OUT)

sample: $(VENV)/.installed
	$(BIN)/dsadeblur simulate --output Resources/SampleData --without-truth

# Real anatomy as well, as the bundled models had it: make train VOLUMES=--volumes DSADEBLUR_ANATOMY=FOLDER
train: $(VENV)/.installed-test
	$(BIN)/dsadeblur train --recipe $(RECIPE) --pool $(OUT)/pools/$(RECIPE) --output $(OUT)/$(RECIPE) --resume $(VOLUMES)

study: $(VENV)/.installed-test
	$(BIN)/python -m DSADeblurLib.lab.training.study --pool $(OUT)/pools --output $(OUT)/study $(VOLUMES)

evaluate: $(VENV)/.installed
	$(BIN)/dsadeblur evaluate --model compact --model quality --model sequence --model paper-small --set test --frames 8 --noise-reduction $(NOISE_REDUCTION) $(if $(filter 1,$(NOISE_REDUCTION)),--uniform-noise-reduction) --output $(OUT)/evaluate

measure: $(VENV)/.installed-test
	$(BIN)/python -m DSADeblurLib.lab.evaluation.vessel_measuring --set $(SET) --output $(OUT)/measure $(REAL)

retention: $(VENV)/.installed
	$(BIN)/python -m DSADeblurLib.lab.evaluation.retention --model compact --model quality --model sequence $(REAL)

trust: $(VENV)/.installed
	$(BIN)/python -m DSADeblurLib.lab.evaluation.trusted --model compact --model quality --model sequence $(REAL)

null-studies: $(VENV)/.installed-test
	$(BIN)/python -m DSADeblurLib.lab.evaluation.null_studies

# Needs no network and no .venv: PyTorch is that of the machine. Results lie flat in OUT.
gpu: OUT := out/gpu
gpu: RECIPE := large
gpu: PYTHON := $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
gpu:
	@$(PYTHON) Testing/gpu/run.py --minutes $(MINUTES) --device $(DEVICE) --recipe $(RECIPE) --out $(OUT) -- $(VOLUMES)

# Of Python 3.12 on Linux; further ones with WHEELS="nibabel ...". pip wants each age of manylinux named.
MANYLINUX := 2_28 2_27 2_24 2_17 2014 2_12 2010 2_5 1
gpu-wheels:
	rm -rf wheels
	$(PYTHON) -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
	    $(foreach age,$(MANYLINUX),--platform manylinux$(if $(findstring _,$(age)),_)$(age)_x86_64) \
	    --dest wheels --requirement Testing/gpu/wheels.txt $(WHEELS)
	@du -ch --apparent-size wheels/*.whl
	@echo "The tree without them, packed: $$(git archive HEAD | gzip | wc -c) bytes"

# The index of CPU builds first; where it cannot be reached, whatever pip finds.
$(VENV)/.torch:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "DSADeblur needs Python 3.10 or newer.")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --retries 0 --index-url $(TORCH_INDEX) "$(TORCH)" || \
	$(BIN)/python -m pip install "$(TORCH)"
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install --editable ".[torch]"
	@touch $@

$(VENV)/.installed-scene: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install --editable ".[scene,torch]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-test: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install --editable ".[test]"
	@touch $@ $(VENV)/.installed $(VENV)/.installed-scene

clean:
	rm -rf $(OUT) build *.egg-info
