#!/bin/busybox sh
# Init of `make test-programs`, python: Python's own tests of what a kernel does. What became of each goes to lines `result outcome NAME
# WORD`; the same root is booted on Linux too, and the lines are compared (.ci/test-programs).
. /common.sh
mount -t devpts -o ptmxmode=666 devpts /dev/pts
export LC_ALL=C.UTF-8
ulimit -n 1024
cd /tmp || exit 1

cat >/tmp/outcomes.py <<'END'
import sys
import xml.etree.ElementTree as tree

for case in tree.parse(sys.argv[1]).iter('testcase'):
    words = [name for name in ('error', 'failure', 'skipped') if case.find(name) is not None]
    if not words and case.get('result') == 'skipped':
        words = ['skipped']
    print('result outcome', case.get('name').split(' ')[0], (words or ['ok'])[0])
END
# There is no UDP-Lite here, which Linux is about to give up as well; its tests do not ask first, and what their threads throw then ends
# all of test_socket now and then.
# shellcheck disable=SC2086 # names
python3.11 -m test -j 4 -v --timeout 2400 --ignore '*UDPLITE*' --junit-xml /tmp/tests.xml $(echo "${TESTS:?}" | tr , " ") </dev/null >/tmp/said 2>&1
grep -aE '^(FAIL|ERROR): |^[0-9:]+ .*(passed|failed|Timeout|timed out|crashed)|^Ran|Timeout \(' /tmp/said
python3.11 /tmp/outcomes.py /tmp/tests.xml
poweroff -f
