#!/bin/busybox sh
# Init of `make test-programs`, languages: the same hello server in Go, JavaScript (node) and Java, each with clients of its own over loopback,
# files, a child, threads, signals, a local socket (tests/servers/hello.*); a compiler that makes a program. With a network the three stay for
# a client of this host, until it has been (a request of /visited to each).
. /common.sh
export LC_ALL=C.UTF-8

# hello WHAT LINES COMMAND...: it ends well and has said all LINES of its kind.
hello() {
    lines=$1
    shift
    timeout 300 "$@" >/tmp/said 2>&1 || { cat /tmp/said && return 1; }
    test "$(grep -c '^ok ' /tmp/said)" = "$lines" || { cat /tmp/said && return 1; }
}
compiled() {
    printf '%s\n' '#include <math.h>' '#include <pthread.h>' '#include <stdio.h>' 'static void *run(void *x) { return x; }' \
        'int main(int count, char **words) { pthread_t t; void *back; pthread_create(&t, 0, run, words); pthread_join(t, &back);' \
        'printf("%d %.3f\n", back == words, sqrt(count + 1)); }' >/tmp/a.c
    gcc -O2 -o /tmp/a /tmp/a.c -lm && test "$(/tmp/a)" = '1 1.414'
}
export GOCACHE=/tmp/go-cache GO111MODULE=off
check "Go's compiler" go build -o /tmp/hello /hello.go
check "Go" hello 7 /tmp/hello 127.0.0.1:8081
check "node" hello 7 node /hello.js 127.0.0.1:8082
check "Java's compiler" java -m jdk.compiler/com.sun.tools.javac.Main -d /tmp/classes /Hello.java
check "Java" hello 7 java -cp /tmp/classes Hello 127.0.0.1:8083
check "gcc compiles, and what it made runs" compiled
if grep -q '^ *eth0' /proc/net/dev; then
    /tmp/hello 0.0.0.0:8081 stay &
    go=$!
    node /hello.js 0.0.0.0:8082 stay &
    node=$!
    java -cp /tmp/classes Hello 0.0.0.0:8083 stay &
    java=$!
    result "ready for a visitor"
    check "Go, asked from outside" wait $go
    check "node, asked from outside" wait $node
    check "Java, asked from outside" wait $java
fi
finish
