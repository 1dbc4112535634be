#!/bin/busybox sh
# Init of `make test-programs`, PostgreSQL: a cluster is made and started as an unprivileged user, eight clients of pgbench move money for
# SECONDS, its first process is killed while they do, and what they were told is there must be there when it has recovered.
. /common.sh

sql() { as postgres psql -h /tmp -U postgres -Atqc "$1" postgres 2>&1; }
settled() { [ "$(sql 'select sum(abalance) from pgbench_accounts')" = "$(sql 'select coalesce(sum(delta), 0) from pgbench_history')" ]; }
start() {
    as postgres postgres -D /data/db -k /tmp -c listen_addresses= -c jit=off -c logging_collector=off "$@" >>/data/log 2>&1 &
    wait_for "postgres" 600 as postgres pg_isready -q -h /tmp
    postmaster=$(sed -n 1p /data/db/postmaster.pid)
}

mkdir -p /data/db
chown -R postgres /data
check "initdb" as postgres initdb -D /data/db -U postgres --auth=trust -E UTF8 --locale=C
start
result version "$(sql 'show server_version')"
attached() { awk 'NR > 1 { print $7 }' /proc/sysvipc/shm; }
check "its segment of System V: $(attached) attached" test "$(attached)" -gt 3
check "pgbench -i" as postgres pgbench -h /tmp -U postgres -i -q -s "${SCALE:-2}" postgres
check "pgbench, 8 clients" as postgres pgbench -h /tmp -U postgres -c 8 -j 2 -T "${SECONDS:-20}" postgres
grep -E '^(tps|latency average|number of transactions act)' /tmp/output | sed 's/^/result pgbench /'
check "every transfer is in the accounts" settled

# The first process is killed in the middle of work (-n: what pgbench did before is not forgotten). The clients see their connections end.
as postgres pgbench -n -h /tmp -U postgres -c 8 -j 2 -T 600 postgres >/tmp/interrupted 2>&1 &
clients=$!
sleep 3
before=$(sql 'select count(*) from pgbench_history')
kill -9 "$postmaster"
wait "$clients"
nobody_attached() { test "$(attached)" = 0; }
nobody_left() { ! pidof postgres >/dev/null; }
wait_for "its processes to end" 600 nobody_left
check "the segment is nobody's" nobody_attached
start
check "it has recovered" grep -q 'automatic recovery in progress' /data/log
after=$(sql 'select count(*) from pgbench_history')
check "what was committed is there: $before, $after" test "$after" -ge "$before"
check "every transfer is in the accounts, after the recovery" settled
check "it goes on" as postgres pgbench -n -h /tmp -U postgres -c 8 -j 2 -t 20 postgres

check "it stops" as postgres pg_ctl -D /data/db -m fast -w stop
wait_for "nothing of it to be left" 300 nobody_left
check "nor a segment" test "$(sed 1d /proc/sysvipc/shm)" = ""
finish
