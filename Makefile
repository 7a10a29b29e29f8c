# uvwss: `make help` lists the targets.
#
# A top-level target installs what it needs (tools/deps), then calls make
# again for files. A variant (release, asan, gc, tsan) has its own directory,
# so that variants never mix; the release is the one in build/ itself.

PREFIX ?= /usr/local
DESTDIR ?=
LUA_VERSION ?= 5.4
LUA ?= lua$(LUA_VERSION)
LUA_INCDIR ?= $(firstword $(wildcard /usr/include/lua$(LUA_VERSION) \
  /usr/local/include/lua$(LUA_VERSION) /usr/local/include))
PYTHON ?= /usr/bin/python3
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
LUACHECK ?= luacheck

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
WERROR ?= -Werror

ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j2
endif
endif
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

# V=1 shows whole commands.
Q := $(if $(V),,@)
SAY := $(if $(V),:,echo)
.SUFFIXES:

# --- variants ---------------------------------------------------------------

VARIANT ?= release
ifeq ($(VARIANT),release)
OUT := build
else
OUT := build/$(VARIANT)
endif
OBJ := build/$(VARIANT)/obj

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE_tsan := -fsanitize=thread
# Of a harness, whose main is libFuzzer's own.
SANITIZE_fuzz := -fsanitize=fuzzer-no-link,address,undefined \
  -fno-sanitize-recover=all
SANITIZE := $(SANITIZE_$(VARIANT))
ifneq ($(SANITIZE),)
CFLAGS := -O1 -g -fno-omit-frame-pointer
WERROR := # instrumented code makes gcc warn of what is not there
endif
ifeq ($(VARIANT),cov)
CFLAGS := -O0 -g --coverage
WERROR := # as with sanitizers
endif
DEFINES_gc := -DUVWSS_GC_STRESS
# What spec/pin_spec.lua must see fail: strings sent are not held.
DEFINES_nopin := -DUVWSS_TEST_NO_PIN
DEFINES := -D_GNU_SOURCE $(DEFINES_$(VARIANT))

WARNINGS := -Wall -Wextra $(WERROR) -Wshadow -Wundef -Wwrite-strings \
  -Wredundant-decls -Wdisabled-optimization -Wdouble-promotion \
  -Wmissing-declarations -Wdeclaration-after-statement -Wmissing-prototypes \
  -Wnested-externs -Wstrict-prototypes -Wc++-compat -Wold-style-definition
ifeq ($(findstring clang,$(CC)),)
WARNINGS += -Wlogical-op
endif

INCLUDES := -Icsrc
COMPILE = $(CC) -std=c11 -pedantic $(WARNINGS) -fPIC -fvisibility=hidden \
  $(DEFINES) $(INCLUDES) $(CPPFLAGS) $(CFLAGS) $(SANITIZE)
LINK = $(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS)

# --- what there is ----------------------------------------------------------

LOWER_C := $(sort $(wildcard $(patsubst %,csrc/%/*.c,base ws tls net engine)))
LUA_C := $(sort $(wildcard csrc/lua/*.c))
TEST_C := $(sort $(wildcard spec/c/*_test.c))
HELPER_C := $(sort $(filter-out $(TEST_C),$(wildcard spec/c/*.c)))
OOM_C := $(sort $(wildcard spec/c/oom/*.c))
FAIL_C := $(sort $(wildcard spec/c/fail/*.c)) $(filter-out %/oom.c,$(OOM_C))
TSAN_C := $(sort $(wildcard spec/c/tsan/*.c))
FUZZ_C := $(sort $(wildcard spec/fuzz/support/*.c))

object = $(patsubst %.c,$(OBJ)/%.o,$(1))
LOWER_O := $(call object,$(LOWER_C))
LUA_O := $(call object,$(LUA_C))
HELPER_O := $(call object,$(HELPER_C))
FUZZ_O := $(call object,$(FUZZ_C))
REPLAYS := $(filter $(OUT)/c/fuzz_%,$(patsubst spec/c/%.c,$(OUT)/c/%,$(TEST_C)))
TESTS := $(filter-out $(REPLAYS),$(patsubst spec/c/%.c,$(OUT)/c/%,$(TEST_C)))

LIBS := -lssl -lcrypto -luv $(if $(wildcard csrc/ws/deflate.c),-lz)
ARCHIVE := $(OUT)/libuvwss.a
CORE := $(if $(LUA_C),$(OUT)/uvwss/core.so)
LUA_FILES := $(shell find lua -name '*.lua' 2>/dev/null | sort)

# --- targets for people -----------------------------------------------------

.PHONY: all
all: ## build the module: build/uvwss/core.so (the default)
	@tools/deps build
	@$(MAKE) files

.PHONY: install
install: all ## install module and command (PREFIX, DESTDIR, LUA_VERSION)
	@$(MAKE) put
	@echo "installed under $(DESTDIR)$(PREFIX)"

.PHONY: demo
demo: ## see it at work
	@tools/deps demo
	@$(MAKE) files
	@eval "$$(tools/env)" && exec sh examples/demo.sh

.PHONY: test
test: ## unit tests and specs; SPECS="spec/x_spec.lua" or C=ws_frame narrows
	@tools/deps test
	@$(MAKE) files tests
	@$(MAKE) VARIANT=nopin files
	@$(SUITE)

.PHONY: asan
asan: ## everything under AddressSanitizer, LeakSanitizer and UBSan
	@tools/deps asan
	@$(MAKE) VARIANT=asan files tests build/asan/bin/lua5.4
	@$(MAKE) VARIANT=nopin files
	@$(SUITE) out=build/asan bin=build/asan/bin slow=2

.PHONY: valgrind
valgrind: ## unit tests, and specs tagged #valgrind, under memcheck
	@tools/deps valgrind
	@$(MAKE) files tests build/valgrind/bin/lua5.4
	@UVWSS_STEP=997 $(SUITE) bin=build/valgrind/bin wrap=tools/memcheck \
	  slow=20 tag=valgrind

.PHONY: gc
gc: ## the specs with a full collection at every call into Lua
	@tools/deps gc
	@$(MAKE) VARIANT=gc files
	@$(MAKE) VARIANT=nopin files
	@$(SUITE) out=build/gc c=no

.PHONY: oom
oom: ## make every single allocation fail once (spec/c/oom)
	@tools/deps oom
	@$(MAKE) VARIANT=asan build/asan/oom
	@$(SUITE) out=build/asan lua=no c=build/asan/oom slow=5

.PHONY: fail
fail: ## make calls of libuv, OpenSSL and the system fail (spec/c/fail)
	@tools/deps oom
	@$(MAKE) VARIANT=asan build/asan/fail
	@$(SUITE) out=build/asan lua=no c=build/asan/fail slow=5

.PHONY: tsan
tsan: ## Lua states in threads of their own under ThreadSanitizer (spec/c/tsan)
	@tools/deps tsan
	@$(MAKE) VARIANT=tsan build/tsan/states
	@$(SUITE) out=build/tsan lua=no c=build/tsan/states wrap='setarch -R'

.PHONY: coverage
coverage: ## lines and branches that tests reach, by file (docs/coverage.md)
	@tools/deps test oom
	@find build/cov -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) VARIANT=cov files tests build/cov/oom build/cov/fail
	@$(MAKE) VARIANT=nopin files
	@$(SUITE) out=build/cov slow=2
	@$(SUITE) out=build/cov lua=no c=build/cov/oom slow=5
	@$(SUITE) out=build/cov lua=no c=build/cov/fail slow=5
	@tools/coverage build/cov --lines --least spec/coverage.txt

.PHONY: fuzz
fuzz: ## T seconds of each fuzzer (spec/fuzz); FUZZ=verify narrows
	@tools/deps fuzz
	@$(MAKE) CC=clang VARIANT=fuzz $(FUZZ:%=build/fuzz/%)
	@tools/fuzz $(T) $(FUZZ)

.PHONY: lint
lint: ## a second compiler's warnings, clang-tidy, cppcheck and luacheck
	@tools/deps lint
	@$(MAKE) -s Q=@ SAY=: CC=clang VARIANT=clang files tests
	@tools/lint

.PHONY: env
env: ## print the environment of the tree as built: eval "$(make -s env)"
	@tools/env

.PHONY: bench
bench: ## ours beside others (bench/README.md; ARGS="--rounds=5")
	@tools/deps bench
	@$(MAKE) files $(BENCH:%=build/bench/%)
	@{ ulimit -n 20200 2>/dev/null || ulimit -n $$(ulimit -Hn); } && eval "$$(tools/env)" && exec $(LUA) bench/run.lua $(ARGS)

.PHONY: bench-check
bench-check: ## instructions of fixed operations, against what they were
	@tools/deps bench-check
	@$(MAKE) files build/bench/driver.so
	@eval "$$(tools/env)" && \
	  exec $(LUA) bench/count/check.lua $(if $(ACCEPT),--accept)

.PHONY: growth
growth: ## what operations cost beside n of something (bench/growth.lua)
	@tools/deps bench-check
	@$(MAKE) files build/bench/driver.so
	@{ ulimit -n 20200 2>/dev/null || ulimit -n $$(ulimit -Hn); } && eval "$$(tools/env)" && \
	  exec $(LUA) bench/growth.lua build/bench/growth.svg

.PHONY: handshake
handshake: ## what our verdict on a chain costs a handshake (bench/handshake.c)
	@tools/deps build demo
	@$(MAKE) files build/bench/handshake
	@d=$$(mktemp -d) && trap 'rm -rf "$$d"' EXIT && \
	  sh spec/certs/make.sh "$$d" && \
	  build/bench/handshake "$$d/server.crt" "$$d/server.key" "$$d/ca.crt"

.PHONY: night
night: ## hours of reconnecting to a hostile server (spec/long/night.lua)
	@tools/deps night
	@$(MAKE) files
	@eval "$$(tools/env)" && exec $(LUA) spec/long/night.lua $(ARGS)

.PHONY: crowd
crowd: ## 10,000 idle wss connections of one server (spec/long/crowd.lua)
	@tools/deps crowd
	@$(MAKE) files
	@eval "$$(tools/env)" && ulimit -n 10100 && \
	  exec $(LUA) spec/long/crowd.lua $(ARGS)

.PHONY: stream
stream: ## a message of 1 GiB, through client and server (spec/long/stream.lua)
	@tools/deps build
	@$(MAKE) files
	@eval "$$(tools/env)" && exec $(LUA) spec/long/stream.lua $(ARGS)

.PHONY: soak
soak: ## half an hour of 200 clients on a bad network (spec/long/soak.lua)
	@tools/deps test
	@$(MAKE) files
	@eval "$$(tools/env)" && exec $(LUA) spec/long/soak.lua $(ARGS)

.PHONY: limits
limits: ## what ends whoever stops in the middle, a table (docs/limits.md)
	@tools/deps test
	@$(MAKE) files
	@eval "$$(tools/env)" && UVWSS_TABLE=1 busted spec/limits_spec.lua | \
	  grep '^|'

.PHONY: interop
interop: ## compression with others' servers and clients (docs/compression.md)
	@tools/deps test
	@$(MAKE) files
	@eval "$$(tools/env)" && UVWSS_TABLE=1 busted spec/compress_peers_spec.lua | \
	  grep -E '^(\||##|$$)'

.PHONY: pin
pin: ## long proof that strings stay whole (spec/long/pin.lua)
	@tools/deps pin
	@$(MAKE) files
	@eval "$$(tools/env)" && exec $(LUA) spec/long/pin.lua $(ARGS)

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf build

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' \
	  Makefile

# The fuzzers, and for how many seconds.
FUZZ := $(sort $(patsubst spec/fuzz/%.c,%,$(filter-out %/replay.c,\
  $(wildcard spec/fuzz/*.c))))
T ?= 60

# C narrows the unit tests by name, SPECS the specs by file; JOBS is how many
# of them run at once.
SUITE = $(LUA) tools/suite.lua $(if $(C),only=$(C)) $(if $(SPECS),\
  specs='$(SPECS)') $(if $(JOBS),jobs=$(JOBS))

# --- files ------------------------------------------------------------------

# What 'install' and luarocks install, and where; installs no packages.
LUADIR ?= $(PREFIX)/share/lua/$(LUA_VERSION)
LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
BINDIR ?= $(PREFIX)/bin
.PHONY: put
put: files
	@set -e; install -D -m 755 $(CORE) $(DESTDIR)$(LIBDIR)/uvwss/core.so; \
	for f in $(LUA_FILES); do \
	  install -D -m 644 $$f $(DESTDIR)$(LUADIR)/$${f#lua/}; done; \
	install -D -m 755 bin/uvwss $(DESTDIR)$(BINDIR)/uvwss

.PHONY: files tests FORCE
files: $(CORE) $(ARCHIVE)
	@$(if $(LUA_C),:,echo "csrc/lua is not there yet: no core.so")

tests: $(TESTS) $(REPLAYS)
	@:

$(OUT)/uvwss/core.so: $(LUA_O) $(ARCHIVE)
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(LINK) -shared -Wl,-z,relro,-z,now -o $@ $^ $(LIBS)

# An archive, so that a unit test links before every floor is there.
$(ARCHIVE): $(LOWER_O)
	@mkdir -p $(@D)
	@rm -f $@
	@$(SAY) AR $@
	$(Q)ar rcs $@ $^

$(TESTS): $(OUT)/c/%: $(OBJ)/spec/c/%.o $(HELPER_O) $(ARCHIVE)
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(LINK) -o $@ $^ $(LIBS) -lcmocka -lpthread

# A harness of spec/fuzz over its corpus, and under libFuzzer.
$(REPLAYS): $(OUT)/c/fuzz_%_test: $(OBJ)/spec/c/fuzz_%_test.o \
  $(OBJ)/spec/fuzz/%.o $(OBJ)/spec/fuzz/replay.o $(FUZZ_O) $(ARCHIVE)
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(LINK) -o $@ $^ $(LIBS) -lcmocka -lpthread

# The one that holds Lua itself: the module's objects need the archive again.
OPTIONS_FUZZERS := $(OUT)/c/fuzz_options_test build/fuzz/options
$(OPTIONS_FUZZERS): $(LUA_O)
$(OPTIONS_FUZZERS): LIBS := $(ARCHIVE) $(LIBS) -llua$(LUA_VERSION) -lm -ldl

# What spec/fuzz/mutate has for it says how inputs are changed.
mutator = $(call object,$(wildcard spec/fuzz/mutate/$(1).c))
.SECONDEXPANSION:
$(FUZZ:%=build/fuzz/%): build/fuzz/%: $(OBJ)/spec/fuzz/%.o \
  $$(call mutator,$$*) $(FUZZ_O) $(ARCHIVE)
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# Programs that hold Lua themselves and link the module into them. Without
# sources nothing is made; the suite says then that there is nothing to run.
$(OUT)/oom: $(call object,$(OOM_C)) $(LUA_O) $(ARCHIVE)
	$(call program,$(OOM_C))
# All of csrc, whose calls go elsewhere (spec/c/fail/symbols.lua).
$(OUT)/csrc.o: $(LUA_O) $(LOWER_O) spec/c/fail/symbols.lua
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)ld -r -o $@.all $(filter %.o,$^)
	$(Q)nm -u $@.all | $(LUA) spec/c/fail/symbols.lua $(OUT)/calls.S $@.map
	$(Q)objcopy --redefine-syms=$@.map $@.all $@
$(OUT)/fail: $(call object,$(FAIL_C)) $(OUT)/csrc.o
	$(Q)$(LINK) -o $@ $^ $(OUT)/calls.S $(LIBS) -llua$(LUA_VERSION) -lm -ldl \
	  -lpthread
build/tsan/states: $(call object,$(TSAN_C)) $(LUA_O) $(ARCHIVE)
	$(call program,$(TSAN_C))
program = $(if $(1),$(Q)$(LINK) -o $@ $^ \
  $(LIBS) -llua$(LUA_VERSION) -lcmocka -lm -ldl -lpthread,@true)

# The benchmark's programs: peers, not ours, and so not with our flags.
BENCH := raw lws gorilla uws beast wsload echo beast-client
build/bench/%: bench/servers/%.c
	$(call peer,$(CC) -std=c11 -D_GNU_SOURCE)
build/bench/%: bench/servers/%.cpp
	$(call peer,$(CXX) -std=c++17)
build/bench/echo: bench/clients/echo.c
	$(call peer,$(CC) -std=c11 -D_GNU_SOURCE,-lpthread)
build/bench/beast-client: bench/clients/beast.cpp
	$(call peer,$(CXX) -std=c++17)
build/bench/wsload: bench/wsload.c
	$(call peer,$(CC) -std=gnu11,-lz -lm)
build/bench/lws: PEER_LIBS := -lwebsockets
# Sources of 2017: their warnings are nobody's.
UWS := build/bench/node/node_modules/uws/src
UWS_CPP := $(addprefix $(UWS)/,Extensions.cpp Group.cpp HTTPSocket.cpp \
  Hub.cpp Networking.cpp Node.cpp Socket.cpp WebSocket.cpp)
build/bench/uws: bench/servers/uws.cpp
	$(call peer,$(CXX) -std=c++17 -w -DUSE_LIBUV -I$(UWS) $(UWS_CPP),\
	  -luv -lz -lpthread)
build/bench/gorilla: bench/servers/gorilla.go
	@mkdir -p $(@D)
	@$(SAY) GO $<
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode \
	  GOCACHE="$$PWD/build/bench/go" go build -o $@ $<
build/bench/handshake: bench/handshake.c $(ARCHIVE)
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -Icsrc -o $@ $^ $(LIBS)
build/bench/driver.so: bench/count/driver.c $(ARCHIVE)
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -fPIC -fvisibility=hidden -Icsrc \
	  -isystem $(LUA_INCDIR) -shared -o $@ $^ -lssl -lcrypto
define peer
@mkdir -p $(@D)
@$(SAY) CC $<
$(Q)$(1) -O2 -o $@ $< $(PEER_LIBS) -lssl -lcrypto $(2)
endef

$(OBJ)/csrc/lua/%.o $(OBJ)/spec/c/oom/%.o $(OBJ)/spec/c/fail/%.o \
  $(OBJ)/spec/c/tsan/%.o $(OBJ)/spec/fuzz/options.o: \
  INCLUDES += -isystem $(LUA_INCDIR)
$(OBJ)/spec/%.o: INCLUDES += -Ispec/c
$(OBJ)/spec/fuzz/%.o $(OBJ)/spec/c/fuzz_%.o: INCLUDES += -Ispec/fuzz

$(OBJ)/%.o: %.c $(OBJ)/flags
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# Changes only when the way to compile does.
$(OBJ)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' >$@

# An interpreter under each of the tools, by the name that specs call.
build/asan/bin/lua5.4: tools/under_asan build/asan/preload.so
	@mkdir -p $(@D)
	cp tools/under_asan $@
build/asan/preload.so: tools/preload.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 -Wall -Wextra -D_GNU_SOURCE -shared -fPIC -o $@ $<
build/valgrind/bin/lua5.4: tools/under_valgrind tools/memcheck
	@mkdir -p $(@D)
	cp tools/under_valgrind $@

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
