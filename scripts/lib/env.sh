# Sourced by every script here, with $root set to the project's folder: puts the pinned Deno on PATH.

deno_version=2.7.11

# npm registries behind a company's own certificate are trusted as the system trusts them.
DENO_TLS_CA_STORE=system
DENO_NO_UPDATE_CHECK=1
export DENO_TLS_CA_STORE DENO_NO_UPDATE_CHECK

# Where scripts/setup puts libraries that plugins are compiled with.
PKG_CONFIG_PATH=$root/.tools/arrow/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH

# is_pinned_deno PROGRAM: whether PROGRAM is the Deno of the pinned version.
is_pinned_deno() {
  case $("$1" --version 2>/dev/null) in
    "deno $deno_version "*) return 0 ;;
    *) return 1 ;;
  esac
}

if ! is_pinned_deno deno; then
  PATH=$root/.tools:$PATH
  export PATH
fi

# fail MESSAGE: prints it and ends the script.
fail() {
  printf '%s\n' "$1" >&2
  exit 1
}
