# What the install and start scripts share. Sourced, never run.

# Says what is missing on this machine, in one line that can be pasted.
need_python() {
  # Debian's python3 brings the module venv but not ensurepip, without which a new environment has no pip.
  if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "tests/sources: Python 3.11 or newer with venv is needed. Run: apt-get install python3-venv" >&2
    exit 1
  fi
}

# Says where PostgreSQL's programs are. Debian keeps them out of the path.
need_postgresql() {
  local programs
  for programs in /usr/lib/postgresql/*/bin; do
    if [ -x "$programs/initdb" ]; then
      echo "$programs"
      return
    fi
  done
  echo "tests/sources: PostgreSQL is needed. Run: apt-get install postgresql" >&2
  exit 1
}

# Installs the packages of the lock file in FOLDER into DIR, without running any script of theirs. Node.js stands beside DIR.
# usage: install_npm DIR FOLDER
install_npm() {
  local node=$1/../node
  cp "$2/package.json" "$2/package-lock.json" "$1"
  (cd "$1" && PATH=$node:$PATH "$node/node" "$node/npm.js" ci --silent --no-fund --no-audit --ignore-scripts)
}

# Runs `prepare DIR` (defined by the caller) unless what is installed in DIR came from these very files.
# usage: install_once DIR FILE...
install_once() {
  local dir=$1; shift
  mkdir -p "$dir"
  local wanted; wanted=$(cat "$@" | sha256sum)
  # Two tests may start the same source at once; the second waits and finds the work done.
  exec 9>"$dir/lock"
  flock 9
  if [ "$(cat "$dir/installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$dir/installed" "$dir/venv"
    prepare "$dir"
    echo "$wanted" >"$dir/installed"
  fi
  exec 9>&-
}

# Makes an empty data folder for the server on this port and sets DATA to it. Folders of servers that are gone are removed:
# a running server keeps the lock of its folder through the open file 8, which it inherits.
# usage: fresh_data DIR PORT
fresh_data() {
  local dir=$1 port=$2 old
  mkdir -p "$dir"
  exec 9>"$dir/lock"
  flock 9
  mkdir -p "$dir/data"
  for old in "$dir"/data/*/; do
    [ -d "$old" ] || continue
    ( flock -n 8 && rm -rf "$old" ) 8<"$old" || true
  done
  DATA=$dir/data/$port
  if ! mkdir "$DATA" 2>/dev/null; then
    echo "tests/sources: a server on port $port already runs from $dir" >&2
    exit 1
  fi
  exec 8<"$DATA"
  flock 8
  exec 9>&-
}
