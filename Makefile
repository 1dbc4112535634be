# Holstein. `make` alone prints the verbs. Arguments for the boot verbs:
#   APPEND="..."     kernel command line      QEMU_ARGS="..."  further QEMU options
#   FORWARD="6379 8022:22"  ports of this host's 127.0.0.1 that lead to the guest
# Arguments for bench: ROWS="fork sizes=0,1024" or ROWS=latency, RUNS=3 to see how steady it is, BASELINE=update to write
# tests/bench/baseline.tsv and its kin (with bench-linux, BASELINE=linux only Linux's figures).
# NO_INSTALL=1 only names missing tools; FIRMWARE=dir gives start4.elf and fixup4.dat for the card.

export TTY POWER TFTP
export RECORD TEXT VERSION URL
export DISK APPEND QEMU_ARGS FORWARD FIRMWARE BASELINE RUNS
BUILD := $(or $(CARGO_TARGET_DIR),target)
OUT := $(BUILD)/holstein
export OUT

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

image: ## build target/holstein/kernel8.img, the one file that both boards boot, and kernel.elf for gdb
	@.ci/setup build
	@.ci/image

run: ## boot QEMU virt to the shell on this terminal (leave with poweroff, or Ctrl-A X); ROOT=dir or cpio boots that instead; DISK=file has a disk
	@.ci/setup run
	@.ci/image
	@.ci/root

demo: ## boot, run the copy-on-write demos with their checks, power off
	@.ci/setup run
	@.ci/image
	@.ci/demo

test: ## run every test: on the host, in QEMU virt and in QEMU raspi4b
	@.ci/setup test
	@.ci/test

web: ## build the playground, the heart of the kernel in one page for any browser: target/holstein/playground/index.html
	@.ci/setup web
	@.ci/web

book: ## build the book, copy-on-write to be read and tried: target/holstein/book/html/index.html; plays its transcripts and draws a fork (RECORD=1: writes what comes out into them; TEXT=name of a chapter)
	@.ci/setup book
	@.ci/image
	@.ci/book

picture: ## record the moving picture of README.md anew, docs/playground.webp, from the playground in a browser
	@.ci/setup test
	@CLICKS=100 .ci/test-web
	@cp $(OUT)/playground/readme.webp docs/playground.webp

exhaust: ## every small history of up to three spaces on the adversarial machine, and every second act at each point of a step after ACTS=1 others: ten minutes
	@.ci/setup test
	@HOLSTEIN_DEEP=1 HOLSTEIN_INTERLEAVED=$(or $(ACTS),1) .ci/cargo host test --release -p mm --test heart exhaust -- --nocapture

litmus: ## the orders between processors that the kernel relies on, under Arm's memory model; NAME=part of a name, HERD7=/path asks Arm's own tool too
	@.ci/setup test
	@.ci/cargo host run --quiet -p litmus -- $(NAME)

bench: ## what calls, faults and forks cost in instructions, beside goals, Linux and the baseline; and how late a sleeper is beside long calls
	@.ci/setup run
	@.ci/image
	@.ci/bench run $(ROWS)

bench-all: ## the same beside crowds of every size (areas, descriptors, processes, names): the curves
	@.ci/setup run
	@.ci/image
	@.ci/bench run --all $(ROWS)

bench-linux: ## all of that on Debian's kernel too, with pages of 4 KiB and with huge ones, side by side
	@.ci/setup run
	@.ci/image
	@.ci/bench run --all --linux $(ROWS)

bench-wall: ## in time of this host instead, four processors: noisy
	@.ci/setup run
	@.ci/image
	@.ci/bench run --wall --cpus 4 $(ROWS)

misses: ## caches and TLBs of a model, which instructions do not show: lines, walks and an estimate of cycles, beside Linux; ROW=fork/16 lists the lines of one
	@.ci/setup run
	@.ci/image
	@.ci/checker
	@.ci/bench run misses $(ROW)

redis: ## Debian's Redis with 512 MiB of data saves itself while clients write: what that costs, here and on Debian's kernel (KEYS=n: n KB)
	@.ci/setup run
	@.ci/image
	@.ci/redis $(KEYS)

test-programs: ## servers as people run them, in guests: PostgreSQL and its recovery, nginx, a fork server as AFL++'s, tmux, screen and ssh, Go, node and Java, a card with Debian; NAME=postgresql: one of them
	@.ci/setup programs
	@.ci/image
	@.ci/test-programs $(NAME)

soak: ## random work on four processors for SECONDS=600 from SEED=n, on the checked kernel, on both boards; everything must be freed
	@.ci/setup test
	@PROFILE=checked .ci/image
	@.ci/soak "$(or $(SECONDS),600)" $(SEED)

soak-swap: ## 600 MiB in four processes on 256 MiB, by zram and by a swap partition, every byte checked for SECONDS=600 each; then swapoff
	@.ci/setup test
	@PROFILE=checked .ci/image
	@BOARD=deep_swap. .ci/soak "$(or $(SECONDS),600)"

check-silicon: ## the real kernel under a checker that knows what silicon does not forgive: both boards, all entries, 1 to 8 processors, Debian's programs
	@.ci/setup test
	@.ci/check-silicon $(SCENES)

mutants: ## one barrier, TLBI, DC, IC or break of the finished Image left out or made weaker at a time: who notices? (WHAT=TLBI, ALL=1; RULES=1: the one that only one rule notices, for each; BUGS=1: one bug in the source of each part)
	@.ci/setup test
	@.ci/mutants $(if $(ALL),--all) $(if $(RULES),--rules) $(if $(BUGS),--bugs) $(if $(WHAT),"$(WHAT)")

profile: ## where the instructions of one fork, fault, copy, switch, life, exec or row of bench go (WHAT=fork)
	@.ci/setup run
	@.ci/image
	@.ci/bench run profile $(or $(WHAT),fork)

trace: ## draw what a command comes to the kernel for, fault by fault: WHAT=fork, or WHAT="ls /"; target/holstein/trace.svg
	@.ci/setup run
	@.ci/image
	@.ci/trace $(or $(WHAT),fork)

hil: ## drive a real board: TTY=/dev/ttyUSB0 POWER='command that switches it off and on' [TFTP=dir] [SECONDS=600] [REBOOTS=50]; a report in target/holstein/hil
	@.ci/setup sdcard
	@.ci/image
	@.ci/sdcard
	@.ci/hil "$(or $(SECONDS),600)" "$(or $(REBOOTS),50)"

hil-smoke: ## the same with the card that is in the board: nothing is built, written or served
	@.ci/setup build
	@.ci/hil "$(or $(SECONDS),600)" "$(or $(REBOOTS),50)"

hil-test: ## hil itself, tried on QEMU's raspi4b behind a pseudo-terminal
	@.ci/setup test
	@.ci/image
	@.ci/sdcard
	@.ci/hil-qemu test "$(or $(SECONDS),10)" "$(or $(REBOOTS),2)"

sdcard: ## write target/holstein/sdcard.img for a Raspberry Pi 4 [ROOT=debian, a folder or a cpio archive] [MEBIBYTES=256]
	@.ci/setup sdcard
	@.ci/image
	@.ci/sdcard

release: ## write target/holstein/release: the card's image compressed, sums, a repository for Raspberry Pi Imager (URL=where it will lie), what is in it (CycloneDX), notes; the tag vN.N.N is the version
	@.ci/setup release
	@.ci/image
	@.ci/sdcard
	@.ci/release

flash: ## write that image to a card: DEVICE=/dev/sdX; refuses what is mounted, not removable, or no card [SURE=1]
	@.ci/flash

debug: ## boot QEMU halted and attach gdb, with helpers (kernel-threads, space PID, walk PID ADDRESS, owners FRAME); the console is `make console` in a second terminal
	@.ci/setup debug
	@PROFILE=inspect .ci/image
	@.ci/debug

console: ## the console of the kernel that make debug runs (leave with Ctrl-])
	@.ci/console

check: ## before a push: formatting, lints, documentation, tests of the host, spelling, dependencies; all but the scenes
	@.ci/setup check
	@.ci/check

coverage: ## which lines of the kernel its tests on the host reach, by folder; ALL=1 by file
	@.ci/setup check
	@.ci/coverage

calls: ## write kernel/CALLS.md, which calls are supported and what of them is not, from the docs of the calls
	@.ci/setup build
	@HOLSTEIN_WRITE_CALLS=1 .ci/cargo host test --quiet -p tests --test house the_list_of_calls

doc: ## rustdoc of every crate, warnings as errors
	@.ci/setup build
	@.ci/doc

fuzz: ## libFuzzer on every reader of bytes, or on TARGET=elf, for SECONDS=60 each
	@.ci/setup fuzz
	@.ci/fuzz "$(or $(SECONDS),60)" $(TARGET)

test-disks: ## ext4 on disks in memory, for long: DAMAGES=1000000 damaged ones, CUTS=10000 losses of power, ROUNDS=100 of random calls, e2fsck after each
	@.ci/setup test
	@EXT4_DAMAGES="$(or $(DAMAGES),1000000)" EXT4_CUTS="$(or $(CUTS),10000)" EXT4_ROUNDS="$(or $(ROUNDS),100)" .ci/cargo host test --quiet -p ext4 --test disks

.PHONY: soak-swap trace misses picture web book release test-disks help image run demo test redis test-programs soak hil hil-smoke hil-test bench bench-all bench-linux bench-wall check-silicon mutants profile sdcard flash debug console check coverage doc fuzz calls
