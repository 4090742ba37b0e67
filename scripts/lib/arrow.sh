# Sourced by scripts/setup. Defines get_arrow.

# arrow_pc: prints what pkg-config is told of Parquet. Paths are found from where the file lies; headers are kept out of
# warnings, and their folder out of what is compiled.
arrow_pc() {
  version=$(sed -n 's/^pyarrow==\([^ ]*\).*/\1/p' "$arrow_pin")
  cat <<EOF
prefix=\${pcfiledir}/../pyarrow
includedir=\${prefix}/include
libdir=\${prefix}

Name: parquet
Description: Apache Parquet and Apache Arrow in C++
Version: $version
Cflags: -isystem \${includedir} -ffile-prefix-map=\${includedir}=arrow
Libs: -L\${libdir} -lparquet -larrow
EOF
}

# quiet_arrow LIBRARY: sets an option of the allocator in it that is not used here, and that would start a thread when the library
# is loaded, which a plugin's may not. The option stands in it as text, and the text keeps its length.
quiet_arrow() {
  python3 - "$1" <<'EOF'
import sys
path = sys.argv[1]
before, after = b"muzzy_decay_ms:1000,background_thread:true\0", b"muzzy_decay_ms:999,background_thread:false\0"
with open(path, "r+b") as file:
    data = file.read()
    if data.count(before) != 1:
        sys.exit(f'Cannot set up "{path}": the options of its allocator are not the known ones; see scripts/lib/arrow.sh')
    file.seek(data.index(before))
    file.write(after)
EOF
}

# Puts Apache Arrow of the version in arrow.txt into .tools/arrow/, from the Python package registry: plugins/parquet_archive
# is compiled with it, and its tests read files back with it. The plugin is left out where Arrow is missing, but not on a CI server.
get_arrow() {
  arrow_pin=$root/scripts/lib/arrow.txt
  ! cmp -s "$arrow_pin" .tools/arrow/pin.txt || return 0
  if [ "$(uname -s)" != Linux ] || ! python3 -m pip --version >/dev/null 2>&1; then
    [ "${CI-}" != true ] || fail "Cannot get Apache Arrow, which a CI server needs: python3 with pip is not on PATH, install both"
    echo "setup: going on without Apache Arrow, which needs Linux and python3 with pip: the plugin parquet-archive is left out"
    return 0
  fi
  echo "setup: getting Apache Arrow for the plugin parquet-archive"
  mkdir -p .tools
  arrow_folder=$(mktemp -d "$root/.tools/arrow.XXXXXX")
  trap 'rm -rf "$arrow_folder"' EXIT
  trap 'exit 129' HUP INT TERM
  if python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes \
    --dest "$arrow_folder" --requirement "$arrow_pin" </dev/null; then
    (cd "$arrow_folder" && python3 -m zipfile -e ./*.whl . && rm -f ./*.whl)
    quiet_arrow "$(echo "$arrow_folder"/pyarrow/libarrow.so.*)" || fail "Cannot use Apache Arrow: see above"
    for library in "$arrow_folder"/pyarrow/libarrow.so.* "$arrow_folder"/pyarrow/libparquet.so.*; do
      ln -s "${library##*/}" "${library%.so.*}.so"
    done
    mkdir "$arrow_folder/pkgconfig"
    arrow_pc >"$arrow_folder/pkgconfig/parquet.pc"
    chmod 755 "$arrow_folder"
    cp "$arrow_pin" "$arrow_folder/pin.txt"
    rm -rf .tools/arrow
    mv "$arrow_folder" .tools/arrow
  elif [ "${CI-}" = true ]; then
    fail "Cannot get Apache Arrow, which a CI server needs: see pip's message above"
  else
    echo "setup: going on without Apache Arrow, see pip's message above: the plugin parquet-archive is left out"
  fi
  rm -rf "$arrow_folder"
  trap - EXIT HUP INT TERM
}
