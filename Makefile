# SPDX-License-Identifier: Apache-2.0
#
# A small front to Meson. make alone installs nothing on this machine; every other target that builds or
# tests installs what it lacks and needs no other step.
BUILD  := build
PYTHON := /usr/bin/python3
# For install and uninstall; DESTDIR is put before every path.
PREFIX  := /usr/local
UNITDIR := /etc/systemd/system

.PHONY: all help deps built install uninstall demo kernel image demo-vm check test check-peers check-chance check-bare nightly bench \
	bench-boot bench-instructions tcb tidy format fuzz clean

all: ## build enclaved, enclavectl and enclave-sim into build/
	@scripts/install-deps --check build
	@scripts/build $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28

deps: ## install the packages that make needs (TASKS="check kernel" for those of other targets)
	@scripts/install-deps $(or $(TASKS),build)

# What all does, for targets that install what they lack.
built:
	@scripts/build $(BUILD)

install: ## install what was built: programs, pages, completion, units (PREFIX, DESTDIR, UNITDIR)
	@BUILD=$(BUILD) deploy/install --prefix $(PREFIX) --unitdir $(UNITDIR) --destdir "$(DESTDIR)"

uninstall: ## remove what install installed, except configuration that was changed (the same variables)
	@BUILD=$(BUILD) deploy/install --uninstall --prefix $(PREFIX) --unitdir $(UNITDIR) --destdir "$(DESTDIR)"

demo: built ## carry a payload from seal to open through simulated NSM and KMS
	@scripts/install-deps run
	@scripts/demo

kernel: ## build build/bzImage, the kernel of enclave images, from Debian's source (once: 3 minutes)
	@scripts/install-deps kernel
	@scripts/kernel

image: built ## build build/enclaved.eif (CONFIG= and ROOTS= for one of your own)
	@scripts/install-deps run $(if $(KERNEL),,kernel)
	@scripts/image

demo-vm: image ## boot the image, seal and open through vsock, and have KMS refuse a changed one
	@scripts/install-deps vm
	@scripts/fetch-qemu >/dev/null
	@scripts/demo-vm

check: ## build and run all tests and checks: gcc, sanitizers, coverage, clang, style
	@scripts/install-deps check
	@$(PYTHON) tests/run

test: ## only the tests, once, on the plain build
	@scripts/install-deps check
	@$(PYTHON) tests/run build test

check-peers: ## AWS's SDKs, nitro-cli's library and buildah against what is here (needs root, npm, PyPI and Cargo)
	@scripts/install-deps peers
	@$(PYTHON) tests/run build peers

check-chance: ## the quick tests RUNS times (default 100), each time in another order
	@scripts/install-deps check
	@$(PYTHON) tests/run chance

check-bare: ## make demo and make check in a bare Debian 12, made with debootstrap (needs root)
	@scripts/install-deps bare
	@$(PYTHON) tests/run bare

nightly: ## the slow checks: check-chance, fuzz and check-bare
	@scripts/install-deps check fuzz bare
	@$(PYTHON) tests/run chance fuzz bare

bench: built ## measure against an echo server and the Python reference, beside hostile clients, and the relay against socat
	@scripts/install-deps bench
	@$(PYTHON) bench/run
	@$(PYTHON) bench/hostile
	@$(PYTHON) bench/relay

bench-boot: image ## measure how an image starts, against a bare first process
	@scripts/install-deps vm
	@scripts/fetch-qemu >/dev/null
	@$(PYTHON) bench/boot

bench-instructions: built ## count the instructions of one request (callgrind)
	@scripts/install-deps bench
	@$(PYTHON) bench/instructions

tcb: built ## list the files and lines that enclaved is made of
	@$(PYTHON) scripts/tcb

tidy: ## clang-tidy over all of src
	@scripts/install-deps check
	@$(PYTHON) tests/run tidy

format: ## rewrite the C files in the project's style
	@scripts/install-deps check
	@find src tests bench fuzz -name '*.[ch]' -exec clang-format -i {} +

fuzz: ## fuzz each parser for a while (FUZZ_SECONDS, default 60)
	@scripts/install-deps fuzz
	@scripts/fuzz

clean: ## remove everything that was built
	rm -rf build build-*
