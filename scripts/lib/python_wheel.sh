# Sourced by what gets a tool from the Python package registry. Defines get_wheel.

# get_wheel PIN FOLDER FINISH NAME WHY LOSS: unpacks the one wheel that scripts/lib/PIN pins by version and hashes into .tools/FOLDER, after
# FINISH, a function that is given the unpacked folder, has made of it what is wanted. Quick when it is there. NAME is what people
# call it, WHY what it is for; where it cannot be had, LOSS says what is left out, but on a CI server that is an error.
get_wheel() {
  wheel_pin=$root/scripts/lib/$1
  ! cmp -s "$wheel_pin" ".tools/$2/pin.txt" || return 0
  if [ "$(uname -s)" != Linux ] || ! python3 -m pip --version >/dev/null 2>&1; then
    [ "${CI-}" != true ] || fail "Cannot get $4, which a CI server needs: python3 with pip is not on PATH, install both"
    echo "setup: going on without $4, which needs Linux and python3 with pip: $6"
    return 0
  fi
  echo "setup: getting $4 for $5"
  mkdir -p .tools
  wheel_folder=$(mktemp -d "$root/.tools/$2.XXXXXX")
  trap 'rm -rf "$wheel_folder"' EXIT
  trap 'exit 129' HUP INT TERM
  if python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes \
    --dest "$wheel_folder" --requirement "$wheel_pin" </dev/null; then
    (cd "$wheel_folder" && python3 -m zipfile -e ./*.whl . && rm -f ./*.whl)
    "$3" "$wheel_folder"
    chmod 755 "$wheel_folder"
    cp "$wheel_pin" "$wheel_folder/pin.txt"
    rm -rf ".tools/$2"
    mv "$wheel_folder" ".tools/$2"
  elif [ "${CI-}" = true ]; then
    fail "Cannot get $4, which a CI server needs: see pip's message above"
  else
    echo "setup: going on without $4, see pip's message above: $6"
  fi
  rm -rf "$wheel_folder"
  trap - EXIT HUP INT TERM
}
