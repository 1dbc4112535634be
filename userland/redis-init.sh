#!/bin/busybox sh
# Init of `make redis`: Debian's Redis with KEYS values of 1,000 bytes saves itself while its benchmark writes, loads the file again, does
# the same with its log of commands (AOF), and tells what that cost in lines that begin with `result`.
export PATH=/usr/bin:/bin
mount -t proc proc /proc 2>/dev/null
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs -o size=2500m data /data
ifconfig lo 127.0.0.1 up 2>/dev/null
cd /data || exit 1

value() { redis-cli info "$1" | sed -n "s/^$2:\([^\r]*\).*/\1/p"; }
# write_beside PREFIX COMMAND: eight clients write, and while they do Redis is told that; the rate, and how long the slowest request took.
write_beside() {
    redis-benchmark -t set -n 6000 -r 100000 -c 8 --csv >/data/written &
    writing=$!
    sleep 0.1
    redis-cli "$2" >/dev/null
    kill -0 "$writing" && echo "result $1amid yes"
    wait "$writing"
    sed -n 's/^"SET","\([^"]*\)".*,"\([^"]*\)"$/result '"$1"'set \1\nresult '"$1"'longest \2/p' /data/written
}
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
    if [ "$round" = 1 ]; then write_beside "" bgsave; else redis-cli bgsave >/dev/null; fi
    echo "result fork $(value stats latest_fork_usec)"
    saved
    echo "result status $(value persistence rdb_last_bgsave_status)"
done
# same WHAT COMMAND...: Redis reads what it has written, and has the same then. Nobody writes any more.
same() {
    what=$1
    shift
    keys=$(redis-cli dbsize)
    digest=$(redis-cli debug digest)
    redis-cli "$@" >/dev/null
    if [ "$(redis-cli dbsize) $(redis-cli debug digest)" = "$keys $digest" ]; then
        echo "result $what $keys keys, every byte"
    else
        echo "result $what WRONG: $keys keys before, $(redis-cli dbsize) after"
    fi
}
redis-cli bgsave >/dev/null
saved
same loaded debug reload nosave

# The log of commands is begun, which writes all of it once, and then written anew while clients write.
rewritten() { while [ "$(value persistence aof_rewrite_in_progress)$(value persistence aof_rewrite_scheduled)" != 00 ]; do sleep 0.1; done; }
rm -f /data/dump.rdb
redis-cli config set appendonly yes >/dev/null
rewritten
write_beside aof- bgrewriteaof
echo "result aof-fork $(value stats latest_fork_usec)"
rewritten
echo "result aof-status $(value persistence aof_last_bgrewrite_status)"
same replayed debug loadaof
poweroff -f
