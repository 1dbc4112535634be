#!/bin/busybox sh
# Init of `make test-programs`, terminals: tmux and screen with three windows each, script, sshd and dropbear with clients over loopback.
# With a network it stays for a client of this host, until that one has been (/tmp/visited).
. /common.sh
export LC_ALL=C.UTF-8 TERM=xterm SHELL=/bin/bash
mkdir -p /run
mount -t tmpfs -o mode=755 run /run
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mkdir -p /.ssh /run/sshd /run/screen /etc/dropbear /var/empty
chmod 700 /.ssh
chmod 777 /run/screen

# says WHAT COMMAND...: it says a line that grep takes for WHAT.
says() {
    what=$1
    shift
    "$@" >/tmp/said 2>&1
    grep -q -- "$what" /tmp/said || { cat /tmp/said && return 1; }
}

# tmux: each window has a terminal of its own, of the size that the server gives it.
typed() { tmux send-keys -t "m:$1" "$2" Enter; }
shown() { tmux capture-pane -p -t "m:$1"; }
shows() { shown "$1" | grep -q -- "$2"; }
new_window() { tmux new-window -t m -n "$1" 'bash --norc'; }
# Somebody looks at it and leaves by a command; what the terminal was sent is kept.
attached() {
    (sleep 3 && tmux detach-client -s m) &
    timeout 30 script -qc 'stty rows 30 cols 100; tmux attach -t m' /tmp/attached </dev/null >/dev/null
    grep -q 'detached (from session m)' /tmp/attached
}
check "tmux begins" tmux -f /dev/null new-session -d -s m -x 80 -y 24 -n one 'bash --norc'
check "a second window" new_window two
check "a third" new_window three
check "three windows" says '^2 three 80x24$' tmux list-windows -t m -F '#I #W #{window_width}x#{window_height}'
for window in one two three; do
    # shellcheck disable=SC2016 # for the shell in there
    typed "$window" 'echo $((6 * 7)) in '"$window"'; stty size; tty'
    wait_for "window $window" 300 shows "$window" "^42 in $window\$"
    wait_for "the size of $window" 300 shows "$window" '^24 80$'
    wait_for "the terminal of $window" 300 shows "$window" '^/dev/pts/[0-9]'
done
check "a window in two halves" tmux split-window -h -t m:one 'bash --norc'
typed one.1 'stty size'
wait_for "the size of a half" 300 shows one.1 '^24 39$'
typed one.0 'stty size'
wait_for "the size of the other" 300 shows one.0 '^24 40$'
check "attached and detached" attached
typed two 'sleep 100'
sleep 1
check "an interrupt key" tmux send-keys -t m:two C-c
# shellcheck disable=SC2016
typed two 'echo status $?'
wait_for "the status of what it ended" 300 shows two '^status 130$'
check "a window is closed" tmux kill-window -t m:three
check "tmux ends" tmux kill-server
gone() { [ "$(echo /dev/pts/[0-9]*)" = '/dev/pts/[0-9]*' ]; }
wait_for "its terminals to go" 100 gone

# screen
hardcopy() { screen -S s -p "$1" -X hardcopy /tmp/copy && grep -q -- "$2" /tmp/copy; }
resumed() {
    (sleep 4 && screen -S s -X detach) &
    timeout 30 script -qc 'stty rows 30 cols 100; screen -r s' /tmp/resumed </dev/null >/dev/null
    grep -q 'detached from' /tmp/resumed
}
there() { screen -ls | grep -q '[.]s'; }
left() { ! there; }
check "screen begins" screen -dmS s bash --norc
wait_for "screen" 300 there
check "a second window of screen" screen -S s -X screen bash --norc
check "a third of screen" screen -S s -X screen bash --norc
sleep 1
# shellcheck disable=SC2016
check "something is typed there" screen -S s -p 1 -X stuff 'echo $((6 * 7)) there; stty size\n'
wait_for "what it says" 300 hardcopy 1 '^42 there'
wait_for "its size" 300 hardcopy 1 '^24 80'
check "three windows of screen" says '0 bash.*1 bash.*2 bash' screen -S s -Q windows
check "resumed and detached" resumed
check "screen ends" screen -S s -X quit
wait_for "it to end" 100 left

# script
check "script" says '^/dev/pts/0' script -qc tty /dev/null
# shellcheck disable=SC2016
check "its command's status" says '^7$' sh -c 'script -qec "exit 7" /dev/null; echo $?'

# sshd: commands, a terminal, keys, bytes both ways, files, a forwarded port.
for kind in ed25519 ecdsa; do ssh-keygen -q -t "$kind" -N '' -f "/etc/ssh/ssh_host_${kind}_key" >/dev/null; done
ssh-keygen -q -t ed25519 -N '' -f /.ssh/id_ed25519
cat /.ssh/id_ed25519.pub >/.ssh/authorized_keys
[ ! -e /visitor.pub ] || cat /visitor.pub >>/.ssh/authorized_keys
printf '%s\n' 'StrictHostKeyChecking no' 'UserKnownHostsFile /tmp/known' 'BatchMode yes' 'LogLevel ERROR' >/.ssh/config
echo 'Subsystem sftp /usr/lib/openssh/sftp-server' >/etc/ssh/sshd_config
over() { timeout 60 ssh "$@"; }
# heard TENTHS WHAT: until the terminal over there has shown it.
heard() {
    tenths=$1
    until tr '\r' '\n' </tmp/heard | grep -q "$2"; do
        tenths=$((tenths - 1))
        [ "$tenths" -gt 0 ] || { cat /tmp/heard && return 1; }
        sleep 0.1
    done
}
keys() {
    rm -f /tmp/keys && mkfifo /tmp/keys
    over -tt root@127.0.0.1 bash --norc </tmp/keys >/tmp/heard 2>&1 &
    exec 5>/tmp/keys
    printf 'echo be""gun; sleep 50\n' >&5
    heard 300 '^begun$' || return 1
    sleep 1
    # shellcheck disable=SC2016 # for the shell over there
    printf '\003' >&5 && sleep 1 && printf 'echo status $?\n' >&5
    heard 100 '^status 130$' || return 1
    printf 'exit\n' >&5
    exec 5>&-
    wait $!
}
there_and_back() { over root@127.0.0.1 cat </tmp/bytes | cmp - /tmp/bytes; }
copied() { timeout 60 scp -q /tmp/bytes root@127.0.0.1:/tmp/copied && cmp /tmp/bytes /tmp/copied; }
forwarded() {
    over -f -N -L 127.0.0.1:7777:127.0.0.1:22 root@127.0.0.1 && bash -c 'exec 3<>/dev/tcp/127.0.0.1/7777 && head -c 7 <&3' | grep -q SSH-2.0
}
head -c 4000000 /dev/urandom >/tmp/bytes
check "sshd begins" /usr/sbin/sshd -E /data/log -o UsePAM=no -o PermitRootLogin=yes
answers() { over root@127.0.0.1 true; }
wait_for "sshd" 300 answers
check "a command over ssh" says '^from there$' over root@127.0.0.1 'echo from there'
check "its status" says '^9$' sh -c 'ssh root@127.0.0.1 "exit 9"; echo $?'
check "no terminal unless asked for" says 'not a tty' over root@127.0.0.1 tty
check "a terminal" says '^/dev/pts/[0-9]' over -tt root@localhost tty
check "an interrupt key over ssh" keys
check "4 MB there and back" there_and_back
check "a file by scp" copied
check "a forwarded port" forwarded
check "dropbear begins" dropbear -R -p 127.0.0.1:2222
through_dropbear() { says '^from dropbear$' over -p 2222 root@127.0.0.1 'echo from dropbear'; }
wait_for "dropbear" 300 through_dropbear
if grep -q '^ *eth0' /proc/net/dev; then
    result "ready for a visitor"
    visited() { [ -e /tmp/visited ]; }
    wait_for "a visitor from outside" 1200 visited
    check "ssh from outside" grep -q 'came by' /tmp/visited
fi
finish
