# Sourced by the inits beside it: mounts, a network of one machine, and checks whose outcome is told in lines that begin with `result`.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin:/usr/lib/postgresql/15/bin HOME=/
/bin/busybox --install -s /bin 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o size=1g data /data
ifconfig lo 127.0.0.1 up 2>/dev/null
cd /

result() { echo "result $*"; }
passed=0
failed=0

# check WHAT COMMAND...: one check. What the command says is kept in /tmp/output, and shown if it fails.
check() {
    what=$1
    shift
    if "$@" >/tmp/output 2>&1; then
        result "ok $what"
        passed=$((passed + 1))
    else
        result "FAILED $what"
        failed=$((failed + 1))
        tail -n 40 /tmp/output
    fi
}

# wait_for WHAT TENTHS COMMAND...: until it succeeds.
wait_for() {
    what=$1
    tenths=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        tenths=$((tenths - 1))
        if [ "$tenths" = 0 ]; then
            result "FAILED waiting for $what"
            failed=$((failed + 1))
            finish
        fi
        sleep 0.1
    done
}

# as USER COMMAND...: with that user's rights and no others.
as() {
    user=$1
    shift
    /usr/bin/setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
}

finish() {
    dmesg | grep 'is not implemented' | sed 's/^.*\] */result asked in vain: /'
    [ ! -e /data/log ] || [ "$failed" = 0 ] || tail -n 60 /data/log
    echo "result $passed passed, $failed failed"
    poweroff -f
}
