# Shared by the commands in tools/: talking, packages, build folders. Sourced, never run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=$(nproc)

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
    warn "$(basename "$0"): $*"
    exit 2
}

# ---- packages --------------------------------------------------------------------------------------------------------

# Debian package, and how to see that what it brings is there. A first field with '?' may be missing: something is then
# left out, and the line says what.
packages_build='
g++|command g++
meson|command meson
ninja-build|command ninja
pkg-config|command pkg-config
python3|command python3
libboost-context1.81-dev|header boost/context/detail/fcontext.hpp
libboost1.81-dev|header boost/system/result.hpp
libspdlog-dev|module spdlog
nlohmann-json3-dev|header nlohmann/json.hpp
?ccache|command ccache|repeated builds take longer
'
packages_test='
libgtest-dev|header gtest/gtest.h
?libgmock-dev|header gmock/gmock.h|tests that need matchers
?libquickfix-dev|header quickfix/Application.h|the QuickFIX client against the exchange
?relacy-dev|header relacy/relacy.hpp|the models of the atomic protocols
?strace|command strace|the counting of system calls
?clang|command clang++|every header alone with clang
?clang-format|command clang-format|the format lint
?cmake|command cmake|the CMake consumer
?git|command git|the list of files for the lints
'
packages_ci='
clang|command clang++
libclang-rt-14-dev|tsan
?valgrind|command valgrind|the test that runs fibers under Valgrind
'
packages_bench='
libbenchmark-dev|header benchmark/benchmark.h
?libboost-fiber1.81-dev|header boost/fiber/all.hpp|Boost.Fiber as a peer
'

present() {
    local kind=${1%% *} what=${1#* }
    case $kind in
    command) command -v "$what" >/dev/null ;;
    header) echo "#include <$what>" | c++ -std=c++20 -E -x c++ - >/dev/null 2>&1 ;;
    module) pkg-config --exists "$what" 2>/dev/null ;;
    tsan) [ -n "$(find "$(clang++ -print-resource-dir 2>/dev/null)/lib" -name 'libclang_rt.tsan*' -print -quit 2>/dev/null)" ] ;;
    esac
}

# Sets missing_needed and missing_optional from the lists given.
look_for_packages() {
    missing_needed=() missing_optional=() missing_effects=()
    local package probe effect
    while IFS='|' read -r package probe effect; do
        [ -n "$package" ] || continue
        present "$probe" && continue
        if [ "${package#\?}" = "$package" ]; then
            missing_needed+=("$package")
        else
            missing_optional+=("${package#\?}")
            missing_effects+=("${package#\?}: without it, no $effect")
        fi
    done <<<"$1"
}

apt_install() {
    local command=(apt-get install -y --no-install-recommends "$@")
    say "installing what is missing: ${command[*]}"
    export DEBIAN_FRONTEND=noninteractive
    "${command[@]}" >/dev/null 2>&1 && return 0
    apt-get update >/dev/null 2>&1 || true
    "${command[@]}" >/dev/null 2>&1
}

# need_packages LIST...: afterwards everything needed is there, or the command has ended with the list of what is not.
need_packages() {
    local all
    all=$(printf '%s\n' "$@")
    look_for_packages "$all"
    local missing=(${missing_needed[@]+"${missing_needed[@]}"} ${missing_optional[@]+"${missing_optional[@]}"})
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # Together first; one by one when a name is unknown to this distribution.
        apt_install "${missing[@]}" || for package in "${missing[@]}"; do
            apt_install "$package" || warn "apt-get could not install $package"
        done
        look_for_packages "$all"
    fi
    if [ ${#missing_optional[@]} -gt 0 ]; then
        warn "left out because a package is missing:"
        printf '  %s\n' "${missing_effects[@]}" >&2
        warn "  to have it: apt-get install ${missing_optional[*]}"
    fi
    if [ ${#missing_needed[@]} -gt 0 ]; then
        warn "these packages (Debian 12 names) are needed and missing: ${missing_needed[*]}"
        die "type this as root, or install what your distribution calls them: apt-get install ${missing_needed[*]}"
    fi
}

# ---- build folders ---------------------------------------------------------------------------------------------------

# with_ccache g++: the compiler, through ccache where it is there.
with_ccache() { if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi; }

# configure DIR COMPILER OPTION...: makes or updates a build folder.
configure() {
    local dir=$1 compiler=$2
    shift 2
    local want="$compiler $*"
    if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.nexus-configuration" 2>/dev/null)" = "$want" ]; then return 0; fi
    rm -rf "$dir"
    mkdir -p "$dir"
    if ! CXX=$(with_ccache "$compiler") meson setup "$dir" "$root" "$@" >"$dir.log" 2>&1; then
        tail -n 30 "$dir.log" >&2
        rm -rf "$dir"
        return 1
    fi
    mv "$dir.log" "$dir/setup.log"
    printf '%s\n' "$want" >"$dir/.nexus-configuration"
}

# Says now and then how far the ninja that writes the log FILE has come: [23/61]. To be run beside it, and killed.
report_progress() {
    local said='' now
    while sleep 10 >/dev/null 2>&1; do
        now=$(grep -ao '^\[[0-9]*/[0-9]*\]' "$1" | tail -n 1) || true
        if [ "$now" != "$said" ]; then say "  $now"; fi
        said=$now
    done
}

# build DIR TARGET...: only its progress, unless it fails.
build() {
    local dir=$1 failed=0 reporter
    shift
    : >"$dir/build.log"
    report_progress "$dir/build.log" &
    reporter=$!
    ninja -j "$jobs" -C "$dir" "$@" >"$dir/build.log" 2>&1 || failed=1
    kill "$reporter" 2>/dev/null || true
    wait "$reporter" 2>/dev/null || true
    if [ "$failed" = 1 ]; then
        grep -E -A 12 '^FAILED|error:|warning:' "$dir/build.log" | head -n 120 >&2 || tail -n 60 "$dir/build.log" >&2
        return 1
    fi
}
