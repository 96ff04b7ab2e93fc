#!/bin/bash
# The two commands on a fresh machine: a minimal Debian 12 with nothing but git and make, in a chroot.
#
#   tests/fresh/run.sh [run|test|both]      needs root; uses the host's apt sources, certificates and proxy settings
#
# NQ_FRESH_DIR (/opt/nq-fresh) holds the chroot and is removed afterwards unless NQ_FRESH_KEEP is set.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-both}
root=${NQ_FRESH_DIR:-/opt/nq-fresh}
source=$PWD

[ "$(id -u)" = 0 ] || { echo "fresh: needs root for chroot" >&2; exit 1; }
command -v mmdebstrap >/dev/null || apt-get install -y -qq mmdebstrap >/dev/null

finish() {
    umount -lq "$root"/{proc,dev/pts,dev} 2>/dev/null || true
    [ -n "${NQ_FRESH_KEEP:-}" ] || rm -rf "$root"
}
trap finish EXIT
umount -lq "$root"/{proc,dev/pts,dev} 2>/dev/null || true
rm -rf "$root"
mmdebstrap --quiet --variant=minbase --include=git,make,ca-certificates bookworm "$root"

# The host's way to the mirrors and registries, whatever it is.
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d "$root"/etc/apt/apt.conf.d
cp -a /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/"
[ -f /etc/apt/sources.list ] && cp -a /etc/apt/sources.list "$root/etc/apt/"
cp -aL /etc/resolv.conf /etc/hosts "$root/etc/"
cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/"
[ -d /usr/local/share/ca-certificates ] && cp -a /usr/local/share/ca-certificates "$root/usr/local/share/"
for file in /etc/pip.conf /root/.npmrc /root/.config/go/env /root/.m2/settings.xml; do
    [ -f "$file" ] && install -D "$file" "$root$file"
done
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
git clone -q --no-hardlinks "$source" "$root/root/neuroquantumdb"

inside() {
    local settings
    mapfile -t settings < <(env | grep -iE '^(https?_proxy|no_proxy|goproxy|gonosumdb|gosumdb|goflags|pip_|npm_|node_extra|ssl_cert|requests_ca|curl_ca|maven_|java_tool|ci=)' || true)
    chroot "$root" env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" \
        bash -c "cd /root/neuroquantumdb || exit 1; $1"
}

if [ "$what" != test ]; then
    started=$SECONDS
    # shellcheck disable=SC2016
    inside 'make run >/tmp/run.log 2>&1 & server=$!
        for _ in $(seq 600); do
            .build/bin/nq -c "SELECT 40 + 2 AS answer" 2>/dev/null && break
            kill -0 $server 2>/dev/null || { cat /tmp/run.log; exit 1; }
            sleep 0.5
        done
        grep -q . /tmp/run.log && cat /tmp/run.log
        .build/bin/nq drain; wait $server'
    echo "fresh: make run gave its first answer and stopped cleanly, $((SECONDS - started)) s after the clone"
fi
if [ "$what" != run ]; then
    started=$SECONDS
    inside 'make test'
    echo "fresh: make test took $((SECONDS - started)) s"
fi
