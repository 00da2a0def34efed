# headsweep in short words; `make help` lists them. Each calls cmake, ctest, pytest or mpirun as one would by hand.
BUILD ?= build
DEMO  ?= runs/demo
PLANTED ?= runs/planted
RANKS ?= 2
PYTHON := .venv/bin/python
MPIRUN := mpirun -q --bind-to none --oversubscribe

ifeq ($(shell id -u),0)
export OMPI_ALLOW_RUN_AS_ROOT := 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM := 1
endif

.PHONY: help setup build demo planted test test-long bench clean

help:  ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup:  ## install what is missing: Debian packages, .venv, torch
	cmake/setup.sh

build: setup  ## compile build/headsweep
	cmake -S . -B $(BUILD) -G Ninja $(if $(HEADSWEEP_TORCH),-DHEADSWEEP_TORCH=$(HEADSWEEP_TORCH))
	cmake --build $(BUILD)

demo: build  ## the quickstart sweep on 2 ranks, then its report; a second call resumes
	$(MPIRUN) -n $(RANKS) $(BUILD)/headsweep run jobs/quickstart.yaml -o $(DEMO) --resume
	$(PYTHON) -m analysis.report $(DEMO)/results.h5

planted: build  ## the planted controls: does the sweep find heads where a behaviour is known to be? (half an hour)
	test -d $(PLANTED) || $(BUILD)/headsweep plant jobs/planted.yaml --draws 39 -o $(PLANTED)
	for plant in $(PLANTED)/plant-*; do \
	  $(MPIRUN) -n $(RANKS) $(BUILD)/headsweep run $$plant/job.yaml -o $$plant/sweep --resume || exit 1; done
	$(PYTHON) -m analysis.planted $(PLANTED)/plant-*/sweep/results.h5

test:  ## all tests but the long ones
	cmake/setup.sh tests
	$(MAKE) build
	ctest --test-dir $(BUILD) --output-on-failure -j2
	OMP_NUM_THREADS=1 HEADSWEEP_BUILD=$(BUILD) $(PYTHON) -m pytest -q -n 2 --dist loadscope tests/style tests/analysis tests/parity tests/mpi tests/cluster

test-long:  ## all tests, the long ones too
	HEADSWEEP_LONG=1 $(MAKE) test

bench: build  ## measure beside today's tools, write tests/bench/RESULTS.md (100 minutes); BENCH=--quick: a look
	cmake/setup.sh bench
	cmake --build $(BUILD) --target bench_programs
	$(PYTHON) tests/bench/compare.py --build $(BUILD) $(BENCH)

clean:  ## remove the build folder; .venv and runs stay
	rm -rf $(BUILD)
