# SPDX-License-Identifier: BSD-3-Clause
# setup.sh - what app/launch and tests/run share: packages, build, hugepages, CPUs
#
# Sourced; expects $root, the checkout. Nothing here asks a question; what may not be done
# is said in one line with the command that cures it.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# Debian packages to build and run, and those for the picture and the count of the wire.
run_packages="build-essential meson ninja-build pkg-config libdpdk-dev libnuma-dev libaio-dev util-linux"
show_packages="gnuplot-nox fonts-dejavu-core tcpdump"

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

# the cure's first word: sudo where it is, else root is told to
sudo_or_root() { command -v sudo >/dev/null && echo sudo || echo "as root:"; }

# want_packages PACKAGE...: install_missing, but only say so where that may not be
want_packages() {
	(install_missing "$@") || true
}

# install_missing PACKAGE...: one apt-get run when something is missing, none otherwise
install_missing() {
	local missing="" p log
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
	done
	[ -z "$missing" ] && return 0
	may_root || die "packages are missing and this user may not install them; $(sudo_or_root) apt-get install -y$missing"
	say "installing$missing"
	log=$(mktemp)
	if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		die "packages could not be installed; see $log, then: $(sudo_or_root) apt-get install -y$missing"
	fi
	rm -f "$log"
}

# build_in DIR [MESON ARGS...]: configure once, then build; quiet unless it fails
build_in() {
	local dir=$1 log
	shift
	mkdir -p "$dir"
	log=$dir/build.log
	if [ ! -e "$dir/build.ninja" ] && ! meson setup "$dir" "$root" "$@" >"$log" 2>&1; then
		tail -n 15 "$log" >&2
		die "meson could not configure $dir; the log is $log"
	fi
	if ! ninja -C "$dir" >"$log" 2>&1; then
		grep -E 'error|FAILED' "$log" | head -n 15 >&2
		die "the build in $dir failed; the log is $log"
	fi
}

# The CPUs this process may use, one number a word.
allowed_cpus() {
	taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) printf "%d ", i }'
}

# lcore_map NB_DATA: EAL's --lcores for main, control and up to NB_DATA data lcores
lcore_map() {
	set -- "$1" $(allowed_cpus)
	local want=$1 n=$(($# - 1)) map i=0
	shift
	if [ "$n" = 1 ]; then
		printf '0@%s,1@%s,2@%s' "$1" "$1" "$1"
	elif [ "$n" = 2 ]; then
		printf '0@%s,1@%s,2@%s' "$1" "$1" "$2"
	else
		map="0@$1,1@$2"
		shift 2
		while [ $# -gt 0 ] && [ $i -lt "$want" ]; do
			map="$map,$((i + 2))@$1"
			i=$((i + 1))
			shift
		done
		printf '%s' "$map"
	fi
}

# prepare_hugepages NB: at least NB free 2 MiB pages on each node with CPUs; false (and said)
# if that cannot be had. A hugetlbfs mount, which in-memory runs do not need, is tried too.
prepare_hugepages() {
	local want=$1 node f free total seen=0
	for node in /sys/devices/system/node/node[0-9]*; do
		f=$node/hugepages/hugepages-2048kB
		[ -e "$f/nr_hugepages" ] && [ -n "$(cat "$node/cpulist")" ] || continue
		seen=1
		free=$(cat "$f/free_hugepages")
		total=$(cat "$f/nr_hugepages")
		if [ "$free" -lt "$want" ] && may_root; then
			echo $((total + want - free)) | as_root tee "$f/nr_hugepages" >/dev/null 2>&1 || true
			free=$(cat "$f/free_hugepages")
			[ "$free" -ge "$want" ] || echo "$total" | as_root tee "$f/nr_hugepages" >/dev/null 2>&1 || true
		fi
		if [ "$free" -lt "$want" ]; then
			say "no hugepages, slower; to have them, as root: echo $((total + want - free)) > $f/nr_hugepages"
			return 1
		fi
	done
	if [ $seen = 0 ]; then
		say "no hugepages, slower: this kernel shows none under /sys/devices/system/node"
		return 1
	fi
	if ! grep -q ' hugetlbfs ' /proc/mounts && may_root; then
		as_root mkdir -p /dev/hugepages 2>/dev/null &&
			as_root mount -t hugetlbfs -o pagesize=2M nodev /dev/hugepages 2>/dev/null || true
	fi
	return 0
}
