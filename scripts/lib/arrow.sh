# Sourced by scripts/setup, after python_wheel.sh. Defines get_arrow.

# arrow_pc: prints what pkg-config is told of Parquet. Paths are found from where the file lies; headers are kept out of
# warnings, and their folder out of what is compiled.
arrow_pc() {
  version=$(sed -n 's/^pyarrow==\([^ ]*\).*/\1/p' "$wheel_pin")
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

# Puts Apache Arrow of the version in arrow.txt into .tools/arrow/: plugins/parquet_archive is compiled with it, and its tests read
# files back with it.
get_arrow() {
  get_wheel arrow.txt arrow finish_arrow "Apache Arrow" "the plugin parquet-archive" "the plugin parquet-archive is left out"
}

finish_arrow() {
  quiet_arrow "$(echo "$1"/pyarrow/libarrow.so.*)" || fail "Cannot use Apache Arrow: see above"
  for library in "$1"/pyarrow/libarrow.so.* "$1"/pyarrow/libparquet.so.*; do
    ln -s "${library##*/}" "${library%.so.*}.so"
  done
  mkdir "$1/pkgconfig"
  arrow_pc >"$1/pkgconfig/parquet.pc"
}
