#!/bin/busybox sh
# Init of `make test-programs`, nginx: its master and two workers, which give up root, serve what curl asks for over loopback: the same file
# REQUESTS times on one connection, by eight clients at once, large, in part, not at all, and while it reloads.
. /common.sh

mkdir -p /data/www /data/tmp /var/lib/nginx /var/log/nginx /run
head -c 5000000 /dev/urandom >/data/www/large
echo "this is served" >/data/www/index.html
cat >/data/nginx.conf <<CONF
user www-data;
worker_processes 2;
pid /data/nginx.pid;
error_log /data/log notice;
events { worker_connections 256; }
http {
    access_log /data/access;
    keepalive_requests 100000;
    client_body_temp_path /data/tmp; proxy_temp_path /data/tmp; fastcgi_temp_path /data/tmp; uwsgi_temp_path /data/tmp; scgi_temp_path /data/tmp;
    server { listen 80; listen [::1]:80; root /data/www; sendfile on; }
}
CONF

fetch() { curl -sS --fail "$@"; }
# served COUNT URL: so many times over one connection; every answer must be whole.
served() {
    seq "$1" | sed "s|.*|url = $2|" >"/tmp/urls.$3"
    test "$(fetch -K "/tmp/urls.$3" | grep -cx 'this is served')" = "$1"
}
eight() {
    for client in 1 2 3 4 5 6 7 8; do served "$1" http://127.0.0.1/ "$client" & done
    for client in 1 2 3 4 5 6 7 8; do wait -n || return 1; done
}
same() { fetch "$1" | cmp - /data/www/large; }
part() { test "$(fetch -r 1000-1999 http://127.0.0.1/large | md5sum)" = "$(dd if=/data/www/large bs=1000 skip=1 count=1 2>/dev/null | md5sum)"; }
missing() { test "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/nothing)" = 404; }
count_of() { wc -l </data/access; }

check "its configuration" nginx -t -c /data/nginx.conf
check "it starts" nginx -c /data/nginx.conf
wait_for "nginx" 300 fetch http://127.0.0.1/
requests=${REQUESTS:-1000}
began=$(count_of)
check "$requests requests on one connection" served "$requests" http://127.0.0.1/ 0
check "all of them are in its log" test "$(count_of)" = $((began + requests))
check "eight clients at once, $((requests / 8)) each" eight $((requests / 8))
check "by IPv6" fetch 'http://[::1]/'
check "5 MB by sendfile" same http://127.0.0.1/large
check "a part of them" part
check "what is not there" missing
owners() { for pid in $(pidof nginx); do stat -c %U "/proc/$pid"; done; }
check "two workers gave up root" test "$(owners | grep -cx www-data)" = 2
if [ -n "${VISITED:-}" ]; then
    # The host asks for /done when it has enough.
    result ready
    visited() { grep -q 'GET /done' /data/access; }
    wait_for "the host" 1200 visited
    from_host() { grep -v -E '^(127|::1)' /data/access | grep -c '"GET / HTTP/1.1" 200 '; }
    check "$requests requests of the host are in its log" test "$(from_host)" = "$requests"
fi

# A new configuration is taken over without a refused request.
reloaded() {
    served "$requests" http://127.0.0.1/ 0 &
    client=$!
    nginx -c /data/nginx.conf -s reload && wait "$client"
}
check "it reloads while it serves" reloaded
stopped() { nginx -c /data/nginx.conf -s quit; }
check "it stops" stopped
nobody_left() { ! pidof nginx >/dev/null; }
wait_for "its processes to end" 300 nobody_left
check "no errors in its log" sh -c '! grep -E "\[(error|crit|alert|emerg)\]" /data/log | grep -v -E "/(nothing|done)"'
finish
