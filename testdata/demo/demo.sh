#!/bin/sh
# Shows one agent turn from nothing: a throw-away home, a sample workspace, the offline
# provider. Everything it makes is removed again. Run it with `make demo`.
set -eu

bin=$(cd "$(dirname "$0")/../../bin" && pwd)
dir=$(mktemp -d)
export ASTRID_HOME="$dir/home"
trap '"$bin/astrid" stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT

say() { printf '\n== %s\n' "$*"; }

mkdir -p "$dir/shop/docs"
cat >"$dir/shop/README.md" <<'TEXT'
# Corner shop
Opens at nine. The till is in src/till.txt.
TEXT
echo 'Apples 3.20' >"$dir/shop/docs/prices.txt"
cd "$dir/shop"

say "a workspace with two files"
find . -type f | sort

say "install the built-in distribution, with the offline provider"
"$bin/astrid" init --yes

say "one turn: the agent lists, reads and writes through sandboxed capsules"
answer=$("$bin/astrid" -p "list the files, then read docs/prices.txt, then write Pears 2.10 to docs/new.txt, then read docs/new.txt")
printf '%s\n' "$answer"
for want in 'Apples 3.20' 'Pears 2.10'; do
	case $answer in
	*"$want"*) ;;
	*) echo "demo: the answer does not quote \"$want\"" >&2; exit 1 ;;
	esac
done

say "what it wrote is in its own layer: the workspace is as it was"
find . -type f | sort
if [ -e docs/new.txt ]; then
	echo 'demo: the workspace was changed' >&2
	exit 1
fi

say "see it, then take it over"
"$bin/astrid" diff
"$bin/astrid" commit docs/new.txt
[ "$(cat docs/new.txt)" = 'Pears 2.10' ] || { echo 'demo: the commit did not arrive' >&2; exit 1; }

say "every one of its file accesses is in the signed audit log"
"$bin/astrid" audit tail
"$bin/astrid" audit verify

say "stop the daemon"
"$bin/astrid" stop
