#!/bin/busybox sh
# Init of `make redis`: Debian's Redis with KEYS values of 1,000 bytes saves itself while its benchmark writes, loads the file again, and
# tells what that cost in lines that begin with `result`.
export PATH=/usr/bin:/bin
mount -t proc proc /proc 2>/dev/null
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs -o size=1g data /data
ifconfig lo 127.0.0.1 up 2>/dev/null
cd /data || exit 1

value() { redis-cli info "$1" | sed -n "s/^$2:\([^\r]*\).*/\1/p"; }
saved() { while [ "$(value persistence rdb_bgsave_in_progress)" = 1 ]; do sleep 0.1; done; }

redis-server --port 6379 --bind 127.0.0.1 --save "" --enable-debug-command yes --logfile /data/log >/dev/null 2>&1 &
tries=0
until [ "$(redis-cli ping 2>/dev/null)" = PONG ]; do
    tries=$((tries + 1))
    if [ "$tries" = 100 ]; then
        cat /data/log
        poweroff -f
    fi
    sleep 0.1
done
echo "result version $(value server redis_version)"
redis-cli debug populate "${KEYS:-490000}" key 1000 >/dev/null
echo "result memory $(value memory used_memory_human)"
for round in 1 2 3; do
    redis-cli bgsave >/dev/null
    echo "result fork $(value stats latest_fork_usec)"
    [ "$round" != 1 ] || redis-benchmark -t set -n 3000 -r 100000 -c 8 --csv |
        sed -n 's/^"SET","\([^"]*\)".*,"\([^"]*\)"$/result set \1\nresult longest \2/p'
    saved
    echo "result status $(value persistence rdb_last_bgsave_status)"
done
# Nobody writes any more: what is in memory is what the last file holds.
redis-cli bgsave >/dev/null
saved
keys=$(redis-cli dbsize)
digest=$(redis-cli debug digest)
redis-cli debug reload nosave >/dev/null
if [ "$(redis-cli dbsize) $(redis-cli debug digest)" = "$keys $digest" ]; then
    echo "result loaded $keys keys, every byte"
else
    echo "result loaded WRONG: $keys keys before, $(redis-cli dbsize) after"
fi
poweroff -f
