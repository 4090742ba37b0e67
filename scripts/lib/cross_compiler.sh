# Sourced by scripts/setup. Defines get_cross_compiler.

# Puts Zig of the version in cross_compiler.txt into .tools/zig/, from the Python package registry. Only tests of
# inspection need it, so that it may be missing, but not on a CI server.
get_cross_compiler() {
  pin=$root/scripts/lib/cross_compiler.txt
  ! cmp -s "$pin" .tools/zig/pin.txt || return 0
  if [ "$(uname -s)" != Linux ] || ! python3 -m pip --version >/dev/null 2>&1; then
    [ "${CI-}" != true ] || fail "Cannot get Zig, which tests on a CI server need: python3 with pip is not on PATH, install both"
    echo "setup: going on without Zig, which needs Linux and python3 with pip: libraries of other systems are not tested"
    return 0
  fi
  echo "setup: getting Zig for tests of libraries of other systems"
  mkdir -p .tools
  zig_folder=$(mktemp -d "$root/.tools/zig.XXXXXX")
  trap 'rm -rf "$zig_folder"' EXIT
  trap 'exit 129' HUP INT TERM
  if python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes \
    --dest "$zig_folder" --requirement "$pin" </dev/null; then
    (cd "$zig_folder" && python3 -m zipfile -e ./*.whl . && rm -f ./*.whl)
    chmod +x "$zig_folder/ziglang/zig"
    cp "$pin" "$zig_folder/pin.txt"
    rm -rf .tools/zig
    mv "$zig_folder" .tools/zig
  elif [ "${CI-}" = true ]; then
    fail "Cannot get Zig, which tests on a CI server need: see pip's message above"
  else
    echo "setup: going on without Zig, see pip's message above: libraries of other systems are not tested"
  fi
  rm -rf "$zig_folder"
  trap - EXIT HUP INT TERM
}
