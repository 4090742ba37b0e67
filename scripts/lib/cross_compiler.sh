# Sourced by scripts/setup, after python_wheel.sh. Defines get_cross_compiler.

# Puts Zig of the version in cross_compiler.txt into .tools/zig/. Only tests of inspection need it.
get_cross_compiler() {
  get_wheel cross_compiler.txt zig finish_zig "Zig" "tests of libraries of other systems" "libraries of other systems are not tested"
}

finish_zig() {
  chmod +x "$1/ziglang/zig"
}
