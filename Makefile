# make demo    extract a kernel from a simulated map, on the command line
# make napari  the same in napari
# make test    every check and every test
# make docs    the site, in site/; a broken link is an error
# make dist-test    sdist and wheel, each tried where nothing else is
#
# Each target makes .venv and installs what it needs, again only when pyproject.toml or
# constraints.txt has changed.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The plugin's tests must neither see nor change the napari settings of the user.
NAPARI_ENV = env -u QT_QPA_PLATFORM NAPARI_CONFIG=
# Expanded only when the tests start, that is after the system packages have been installed.
DISPLAY_SERVER = $(shell command -v xvfb-run >/dev/null && echo 'xvfb-run -a -s "-screen 0 1600x1000x24"')

.PHONY: demo napari test test-library lint docs dist-test clean
.NOTPARALLEL:
.DELETE_ON_ERROR:
# Without this make would take the stamp for a by-product and delete it.
.PRECIOUS: %/.pip

demo: $(VENV)/.library
	$(BIN)/qpi-kernel demo --out demo

napari: $(VENV)/.napari
	$(BIN)/python -c "import napari; viewer = napari.Viewer(); \
	viewer.open_sample('napari-qpi-kernel', 'ag111'); \
	viewer.window.add_plugin_dock_widget('napari-qpi-kernel', 'Extract kernel'); napari.run()"

# One window system, one viewer at a time; all else on all cores.
test: lint
	OMP_NUM_THREADS=1 $(NAPARI_ENV) $(DISPLAY_SERVER) $(BIN)/python -m pytest \
	    -n auto --dist loadfile --ignore tests/plugin
	$(NAPARI_ENV) $(DISPLAY_SERVER) $(BIN)/python -m pytest tests/plugin

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(NAPARI_ENV) QT_QPA_PLATFORM=offscreen $(BIN)/npe2 validate napari-qpi-kernel --imports

# The library and its command line have to work where napari and Qt are not installed; this
# environment has neither. The physics and the training, which never come near them, are tried by
# `make test` alone.
test-library: VENV = .venv-library
test-library: .venv-library/.library-test
	! $(BIN)/python -c "import napari" 2>/dev/null
	! $(BIN)/python -c "import qtpy" 2>/dev/null
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile tests/library src \
	    --ignore tests/library/simulate --ignore tests/library/learn
	$(BIN)/qpi-kernel materials

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# An environment of its own, outside of the checkout, so that nothing is found by its side.
dist-test: $(VENV)/.package
	.ci/dist-test $(BIN)/python

clean:
	rm -rf .venv .venv-library demo site dist

%/.pip:
	@.ci/system-packages python
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

%/.library: pyproject.toml constraints.txt | %/.pip
	$(PIP) -c constraints.txt -e .
	@touch $@

%/.library-test: pyproject.toml constraints.txt | %/.pip
	$(PIP) -c constraints.txt -e ".[batch,igor,matrix]" --group test --group crosscheck
	@touch $*/.library $@

%/.napari: pyproject.toml constraints.txt | %/.pip
	@.ci/system-packages napari
	$(PIP) -c constraints.txt -e ".[all]"
	@touch $*/.library $@

%/.docs: pyproject.toml constraints.txt | %/.library
	$(PIP) -c constraints.txt --group docs
	@touch $@

%/.package: pyproject.toml constraints.txt | %/.pip
	@.ci/system-packages napari
	$(PIP) -c constraints.txt --group package
	@touch $@

%/.test: pyproject.toml constraints.txt | %/.pip
	@.ci/system-packages napari
	$(PIP) -c constraints.txt -e ".[all]" --group dev
	@touch $*/.library $*/.napari $@
