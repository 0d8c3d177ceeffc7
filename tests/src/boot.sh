# Runs in a mount namespace of its own. The host's cgroup tree may be the old hybrid one, and systemd in the
# box wants the unified one; a group made at its top holds all of the box and dies with it.
set -eu
group=/sys/fs/cgroup/$1
root=$2
shift 2
# The images of other caches: a copy of their mounts in here would keep them in use for as long as the box lives.
findmnt -rn -t btrfs -o SOURCE,TARGET | while read -r device point; do
    case $device:$root/ in
    *:"$point"/*) ;;
    /dev/loop*) umount -l "$point" ;;
    esac
done
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "$group"
echo 0 > "$group/cgroup.procs"
exec systemd-nspawn "$@"
