#!/bin/sh
# Runs a command in a folder as if that were the whole machine; only `root.py` calls this, in mounts of its own.
#   enter.sh ROOT MODE USER:GROUP DIRECTORY MOUNTS -- COMMAND …
# MODE `build` may write everywhere; `run` only below a fresh /tmp, without capabilities, and never with more rights.
# MOUNTS are SOURCE=TARGET with blanks between.
set -eu
root=$1 mode=$2 user=$3 directory=$4 mounts=$5
shift 6

mount --bind "$root" "$root"
# What is put there for a step, as the authorities of this machine, is no part of the image.
[ "$mode" != build ] || mount -t tmpfs tmpfs "$root/run"
for pair in $mounts; do
    target=$root${pair#*=}
    if [ -d "${pair%%=*}" ]; then mkdir -p "$target"; else mkdir -p "${target%/*}"; [ -e "$target" ] || : > "$target"; fi
    mount --bind "${pair%%=*}" "$target"
done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ "$mode" = build ] && exec /usr/sbin/chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"

mount -o remount,bind,ro "$root"
mount -t tmpfs -o nosuid,nodev,noexec,size=64m,mode=1777 tmpfs "$root/tmp"
exec /usr/sbin/chroot "$root" setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs \
    --inh-caps=-all --bounding-set=-all --pdeathsig=KILL /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
