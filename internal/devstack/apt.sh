# Installs the package $1 on Debian or Ubuntu without any server of the distribution's own coming up: Debian would
# otherwise make a cluster "main" and start it. The directory is the one that createcluster.conf includes for such
# settings; ours is taken away again, so that what the administrator installs later behaves as it always did.
set -eu
package=$1
dir=/etc/postgresql-common/createcluster.d
conf=$dir/astrogrowth.conf
made=
cleanup() {
	rm -f "$conf"
	[ -z "$made" ] || rmdir "$dir" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 143' TERM INT
if [ "$package" = postgresql ]; then
	[ -d "$dir" ] || made=yes
	mkdir -p "$dir"
	echo 'create_main_cluster = false' >"$conf"
fi
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -q -o DPkg::Lock::Timeout=120 "$@"; }
# A fresh machine has no package lists, and old lists name packages that are gone.
get install -y --no-install-recommends "$package" || {
	get update
	get install -y --no-install-recommends "$package"
}
