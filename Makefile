# grpcprof needs gcc or clang, nghttp2 and zlib; with OpenSSL 3 it speaks TLS.
#   make && make install DESTDIR=/tmp/x prefix=/usr CFLAGS=-O2
# CFLAGS, CPPFLAGS and LDFLAGS are yours to set: the flags that the program
# needs are in other variables.

prefix  = /usr/local
bindir  = $(prefix)/bin
mandir  = $(prefix)/share/man/man1
compdir = $(prefix)/share/bash-completion/completions
agentdir = $(prefix)/lib/grpcprof

ifeq ($(origin CC),default)
CC = gcc
endif
CFLAGS  = -O3 -g
INSTALL = install

# Unwind tables, because the profiler's stacks come from backtrace(); a build
# id, by which a profile identifies the file that has its symbols.
NEED   = -std=gnu11 -fasynchronous-unwind-tables -pthread
WARN   = -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes
LINK   = -Wl,--build-id $(LDFLAGS)
LIBS   = -lnghttp2 -lz -lm -lpthread @.build/libs
PROBED = @.build/probed
FLAGS  = $(WARN) $(CPPFLAGS) $(CFLAGS) $(NEED) $(PROBED) -I. \
         -DSVC_PROTOS='".build/protos.inc"' -DRUN_AGENT='".build/agent.so"'
ASAN   = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
         -fno-sanitize-recover=all
TSAN   = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
SRC    = grpcprof.c grpcprof.h
DEPS   = $(SRC) .build/probed .build/libs .build/flags .build/protos.inc .build/agent.so

all: grpcprof ## build ./grpcprof (the default)

grpcprof: .build/grpcprof.o
	$(CC) $(FLAGS) $(LINK) -o $@ $< $(LIBS)

# Tests check that .build/warnings is empty.
.build/grpcprof.o: $(DEPS)
	$(CC) $(FLAGS) -c -o $@ grpcprof.c 2>.build/warnings || \
	  { cat .build/warnings >&2; exit 1; }
	@cat .build/warnings >&2

demo: grpcprof ## the whole job on a real run: serve, load, profile, report
	@bash tests/demo.sh

test: ## run the tests; T=NAME: those whose name contains NAME
	@sh tests/setup.sh test || echo 'going on without: some checks will SKIP'
	@CC='$(CC)' bash test.sh '$(T)'

test-asan: ## run every group that can under ASan and UBSan: several minutes
	@sh tests/setup.sh test || echo 'going on without: some checks will SKIP'
	@CC='$(CC)' bash test.sh '(asan)'

PROFILES = $(wildcard ../shared/profiles/*)
same: grpcprof ## compare every view with pprof's, on PROFILES='FILE...'
	@[ -n '$(PROFILES)' ] || echo 'no PROFILES: nothing to compare'
	@[ -z '$(PROFILES)' ] || /usr/bin/python3 tests/same.py ./grpcprof \
	  "$$(sh tests/tools/tool.sh pprof)" $(filter-out %.md,$(PROFILES))

RE_PAIRS = 200000
RE_SEED  = 1
re: .build/unit ## compare RE_PAIRS=N regular expressions with RE2; RE_SEED=N
	@PYTHONPATH="$$(sh tests/tools/tool.sh re2):tests/lib" /usr/bin/python3 \
	  tests/report/beside_re2.py .build/unit $(RE_PAIRS) $(RE_SEED)

JSON_CASES = 100000
JSON_SEED  = 1
json: .build/unit ## compare JSON_CASES=N messages with protobuf; JSON_SEED=N
	@protoc -Itests/load --include_imports -o .build/mapping.pb rich.proto \
	  old.proto
	@PYTHONPATH=tests/lib /usr/bin/python3 tests/load/mapping.py .build/unit \
	  .build/mapping.pb $(JSON_CASES) $(JSON_SEED)

truth: grpcprof ## compare figures with known values: 45 minutes; T=PART
	@bash tests/truth.sh $(T)

SOAK = grpcprof $(addprefix .build/,grpcprof-asan grpcprof-tsan churn.so)
soak: $(SOAK) ## load, profile and report for ten minutes, with ASan and TSan
	@bash tests/soak.sh

bench: grpcprof ## CPU per call and per sample, compared with h2load and others
	@sh tests/setup.sh test || :
	@bash tests/bench/bench.sh

bench-load: grpcprof .build/bench/floor ## CPU per call of load, h2load and ghz
	@bash tests/bench/load.sh

PROFILE = $(wildcard ../shared/profiles/gp_large.cpu)
.build/bench/big.pb.gz: .build/bench/big
	$< 150 >$@.tmp
	@mv $@.tmp $@
BIG = .build/bench/big.pb.gz
bench-report: grpcprof $(filter-out no,$(BIG)) ## report on PROFILE and on 150 MB (not if BIG=no)
	@PPROF=$$(sh tests/tools/tool.sh pprof) \
	  INFERNO=$$(sh tests/tools/tool.sh inferno) \
	  FLAMEGRAPH_PL=$${FLAMEGRAPH_PL:-$$(command -v flamegraph.pl)} \
	  /usr/bin/python3 tests/bench/report.py ./grpcprof $(PROFILE) \
	  $(filter-out no,$(BIG))

bench-serve: grpcprof ## CPU per call and memory of serve and other servers
	@CC='$(CC)' bash tests/bench/serve.sh

bench-run: grpcprof .build/bench/deep ## cost of run, attach and perf record
	@/usr/bin/python3 tests/bench/run.py ./grpcprof .build/bench/deep $(PARTS)

bench-engines: grpcprof ## CPU that run adds to a server, by kind of timer
	@/usr/bin/python3 tests/bench/engines.py ./grpcprof \
	  "$$(sh tests/tools/tool.sh tonic)"

eintr: grpcprof .build/edge ## 48,000 calls under run: none may fail with EINTR
	@for t in perf thread; do echo "$$t:"; ./grpcprof run -q --hz 5000 \
	  --timer $$t -o .build/eintr.pb --svg none -- .build/edge eintr 4000; done

FUZZ_RUNS = 100000
fuzz: grpcprof .build/fuzz .build/fuzz-client .build/fuzz-re ## report and load on mutated input
	@FUZZ_RUNS=$(FUZZ_RUNS) bash tests/fuzz/fuzz.sh

unw-arm64: .build/unw-arm64 ## cross-build the unwinder's unit tests for arm64
asan: .build/grpcprof-asan ## build .build/grpcprof-asan
tsan: .build/grpcprof-tsan ## build .build/grpcprof-tsan

install: grpcprof .build/grpcprof.1 .build/grpcprof.bash ## install to prefix=/usr/local, below DESTDIR=
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)' \
	  '$(DESTDIR)$(compdir)' '$(DESTDIR)$(agentdir)'
	$(INSTALL) -m 755 grpcprof '$(DESTDIR)$(bindir)/grpcprof'
	$(INSTALL) -m 755 .build/agent.so '$(DESTDIR)$(agentdir)/agent.so'
	$(INSTALL) -m 644 .build/grpcprof.1 '$(DESTDIR)$(mandir)/grpcprof.1'
	$(INSTALL) -m 644 .build/grpcprof.bash '$(DESTDIR)$(compdir)/grpcprof'

uninstall: ## remove what install placed
	rm -f '$(DESTDIR)$(bindir)/grpcprof' '$(DESTDIR)$(mandir)/grpcprof.1' \
	  '$(DESTDIR)$(compdir)/grpcprof' '$(DESTDIR)$(agentdir)/agent.so'

clean: ## remove everything that was built
	rm -rf .build grpcprof

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1	/p' Makefile | expand -t 15

# Installed files that the program prints from its own option tables.
.build/grpcprof.1: grpcprof
	./grpcprof help --man >$@.tmp && mv $@.tmp $@
.build/grpcprof.bash: grpcprof
	./grpcprof help --bash >$@.tmp && mv $@.tmp $@

# What the tests build.  unit.c includes grpcprof.c and calls its static parts.
.build/grpcprof-asan: $(DEPS)
	$(CC) $(FLAGS) $(ASAN) $(LINK) -o $@ grpcprof.c $(LIBS)
.build/without-tls: $(DEPS)
	$(CC) $(FLAGS) -UHAVE_OPENSSL -O0 -g0 $(LINK) -o $@ grpcprof.c \
	  $(filter-out @.build/libs,$(LIBS))
.build/grpcprof-tsan: $(DEPS)
	$(CC) $(FLAGS) $(TSAN) $(LINK) -o $@ grpcprof.c $(LIBS)
UNIT = $(wildcard tests/unit/*.[ch])
.build/unit: $(UNIT) $(DEPS)
	$(CC) $(FLAGS) -O0 -Wno-missing-prototypes $(LINK) -o $@ \
	  tests/unit/unit.c $(LIBS)
.build/sim: tests/truth/sim.c $(UNIT) $(DEPS)
	$(CC) $(FLAGS) -O2 -Wno-missing-prototypes $(LINK) -o $@ \
	  tests/truth/sim.c $(LIBS)
.build/unit-asan: $(UNIT) $(DEPS)
	$(CC) $(FLAGS) $(ASAN) -Wno-missing-prototypes $(LINK) -o $@ \
	  tests/unit/unit.c $(LIBS)
.build/unw-arm64: $(UNIT) $(SRC) .build/flags
	aarch64-linux-gnu-gcc $(WARN) -Wno-missing-prototypes -O2 -g -std=gnu11 \
	  -fasynchronous-unwind-tables -I. -o $@ tests/unit/unw_main.c \
	  -lpthread
.build/unw-gaps: $(UNIT) $(SRC) .build/flags
	$(CC) $(WARN) -Wno-missing-prototypes -O2 -g -std=gnu11 -no-pie -fno-pie \
	  -fasynchronous-unwind-tables -I. -Wl,-z,max-page-size=0x200000 -o $@ \
	  tests/unit/unw_main.c -lpthread
.build/clang.ok: $(DEPS)
	clang $(WARN) -Werror -O1 $(NEED) $(PROBED) -I. \
	  -DSVC_PROTOS='".build/protos.inc"' -DRUN_AGENT='".build/agent.so"' -fsyntax-only grpcprof.c && touch $@
.build/lib.o: $(DEPS)
	$(CC) $(FLAGS) -O1 -Wno-unused -DGRPCPROF_LIBRARY -c -o $@ grpcprof.c

# Programs of the tests that link the library; refuse and churn.so do not.
.build/lib-%.o: $(DEPS)
	$(CC) $(FLAGS) $(if $(filter asan,$*),$(ASAN),$(TSAN)) -Wno-unused \
	  -DGRPCPROF_LIBRARY -c -o $@ grpcprof.c
.build/truth: tests/profile/truth.c .build/lib.o
	$(CC) $(FLAGS) $(LINK) -I. -o $@ $^ $(LIBS)
.build/sleeper: tests/profile/sleeper.c .build/lib.o
	$(CC) $(FLAGS) $(LINK) -I. -o $@ $^ $(LIBS)
.build/windows-asan: tests/profile/windows.c .build/lib-asan.o
	$(CC) $(FLAGS) $(ASAN) $(LINK) -I. -o $@ $^ $(LIBS)
.build/execs: tests/profile/execs.c .build/lib.o
	$(CC) $(FLAGS) $(LINK) -I. -o $@ $^ $(LIBS)
.build/execs-asan: tests/profile/execs.c .build/lib-asan.o
	$(CC) $(FLAGS) $(ASAN) $(LINK) -I. -o $@ $^ $(LIBS)
.build/refuse: tests/profile/refuse.c .build/flags
	$(CC) $(FLAGS) $(LINK) -o $@ tests/profile/refuse.c
.build/stall: tests/load/stall.c tests/load/accept.h .build/flags
	$(CC) $(FLAGS) $(LINK) -o $@ tests/load/stall.c $(LIBS)
.build/record: tests/load/record.c tests/load/accept.h .build/flags
	$(CC) $(FLAGS) $(LINK) -o $@ tests/load/record.c $(LIBS)
.build/alone: tests/load/alone.c .build/lib.o
	$(CC) $(FLAGS) $(LINK) -I. -o $@ $^ $(LIBS)
.build/churn.so: tests/profile/churn.c .build/flags
	$(CC) $(FLAGS) -fPIC -shared $(LINK) -o $@ tests/profile/churn.c
.build/edge: tests/run/edge.c .build/flags
	$(CC) $(FLAGS) $(LINK) -o $@ tests/run/edge.c
.build/ring: tests/run/ring.c $(DEPS)
	$(CC) $(FLAGS) -O1 -Wno-unused -Wno-missing-prototypes $(LINK) -o $@ \
	  tests/run/ring.c $(LIBS)
.build/throw: tests/run/throw.cc .build/flags
	$(CXX) -O1 -g -o $@ tests/run/throw.cc -pthread
# clang's pointer-overflow check, unlike gcc's, forbids adding 0 to NULL.
.build/fuzz: tests/fuzz/fuzz.c $(DEPS)
	@sh tests/setup.sh fuzz
	clang $(FLAGS) $(ASAN) -fsanitize=fuzzer -fno-sanitize=pointer-overflow \
	  -Wno-missing-prototypes $(LINK) -o $@ tests/fuzz/fuzz.c $(LIBS)
.build/fuzz-client: tests/fuzz/fuzz_client.c tests/unit/cs_talk.c $(DEPS)
	@sh tests/setup.sh fuzz
	clang $(FLAGS) $(ASAN) -fsanitize=fuzzer -fno-sanitize=pointer-overflow \
	  -Wno-unused -Wno-missing-prototypes $(LINK) -o $@ tests/fuzz/fuzz_client.c \
	  $(LIBS)
.build/fuzz-re: tests/fuzz/fuzz_re.c $(DEPS)
	@sh tests/setup.sh fuzz
	clang $(FLAGS) $(ASAN) -fsanitize=fuzzer -fno-sanitize=pointer-overflow \
	  -Wno-unused -Wno-missing-prototypes $(LINK) -o $@ tests/fuzz/fuzz_re.c \
	  $(LIBS)
.build/bench-sampler: tests/bench/sampler.c $(DEPS)
	$(CC) $(FLAGS) -Wno-unused -Wno-missing-prototypes $(LINK) -o $@ \
	  tests/bench/sampler.c $(LIBS)

# The servers that bench-serve compares with ours.
PEER = tests/bench
GO   = $(or $(shell command -v go),/usr/lib/go/bin/go)
.build/bench/%: $(PEER)/%.c .build/flags .build/probed
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(LINK) -o $@ $< $(LIBS)
.build/bench/go: $(wildcard $(PEER)/go/*)
	cd $(PEER)/go && GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 \
	  $(GO) build -o $(CURDIR)/$@ .
.build/bench/tonic: $(wildcard $(PEER)/tonic/* $(PEER)/tonic/src/*)
	cargo build -q --release --locked --manifest-path $(PEER)/tonic/Cargo.toml \
	  --target-dir $@.d
	cp $@.d/release/greeter $@
.build/bench/cpp: $(PEER)/cpp/greeter.cc proto/helloworld.proto
	@mkdir -p $@.d
	protoc -Iproto --cpp_out=$@.d --grpc_out=$@.d \
	  --plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin) \
	  proto/helloworld.proto
	$(CXX) -O2 -std=c++17 -I$@.d -o $@ $< $@.d/*.cc \
	  $$(pkg-config --cflags --libs grpc++ protobuf) -lpthread

# Install what is missing; then find out by compiling and linking what this
# nghttp2 can do.
NGHTTP2_H = $(wildcard /usr/include/nghttp2/nghttp2ver.h)
.build/probed: tests/probe.sh tests/setup.sh $(NGHTTP2_H) .build/flags
	@mkdir -p .build
	@CC='$(CC)' sh tests/setup.sh build
	@CC='$(CC)' FLAGS='$(CPPFLAGS) $(LDFLAGS)' sh tests/probe.sh >$@.tmp
	@mv $@.tmp $@

# The libraries for what probe.sh found.
.build/libs: .build/probed
	@sed -n 's/^-DHAVE_OPENSSL$$/-lssl -lcrypto/p' $< >$@

# The descriptors that reflection serves, as the elements of a C array.
.build/protos.inc: $(wildcard proto/*.proto) .build/probed
	@protoc -Iproto --include_imports --descriptor_set_out=.build/protos \
	  $(filter %.proto,$^)
	@od -An -v -tu1 .build/protos >$@.od
	@sed 's/ *\([0-9][0-9]*\)/\1,/g' $@.od >$@.tmp
	@mv $@.tmp $@

# What run preloads into a program: always optimised, never with a sanitizer.
AGENT = $(WARN) $(CPPFLAGS) -std=gnu11 -O2 -g0 -fPIC -shared -I. -DGRPCPROF_AGENT \
        -fasynchronous-unwind-tables -fvisibility=hidden -Wl,-z,now
.build/agent.so: $(SRC) .build/flags
	@$(CC) $(AGENT) -o $@.tmp grpcprof.c
	@mv $@.tmp $@

.build/agent-arm64.so: $(SRC) .build/flags
	aarch64-linux-gnu-gcc $(AGENT) -o $@ grpcprof.c

# This file changes only if the flags do: other flags rebuild everything.
.build/flags: FORCE
	@mkdir -p .build
	@echo '$(CC) $(FLAGS) $(LDFLAGS)' | cmp -s - $@ || \
	  echo '$(CC) $(FLAGS) $(LDFLAGS)' >$@
FORCE:

.PHONY: all demo test test-asan same re json truth soak eintr fuzz bench \
  bench-load bench-report bench-run bench-engines bench-serve unw-arm64 asan \
  tsan install uninstall clean help FORCE
