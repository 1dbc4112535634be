#!/bin/sh
# The shell language as scripts use it. Prints one line for each mistake, and how many checks were made.
checks=0
mistakes=0

is() { # is WHAT EXPECTED ACTUAL
    checks=$((checks + 1))
    [ "$2" = "$3" ] && return
    mistakes=$((mistakes + 1))
    echo "$1: expected [$2], got [$3]"
}

is arguments "2 a b" "$# $1 $2"
set -- x "y z"
is quoting "x|y z" "$1|$2"
is status 7 "$(sh -c 'exit 7'; echo $?)"
is and-or "one
two" "$(true && echo one; false || echo two)"
is substitution "[a c]" "[$(echo a $(echo b | tr b c))]"
is backticks "inner" "`echo \`echo inner\``"
is arithmetic 42 $((6 * (5 + 2)))
is default "none" "${UNSET_NAME:-none}"
is suffix "archive" "$(f=archive.tar.gz; echo ${f%%.*})"
is here-document "got line" "$(cat <<END
got line
END
)"
is loop "1 2 3 " "$(for i in 1 2 3; do echo -n "$i "; done)"
is while-read "3" "$(printf 'a\nb\nc\n' | while read line; do echo $line; done | wc -l | tr -d ' ')"
is case "fruit" "$(case apple in a*) echo fruit ;; *) echo other ;; esac)"
is subshell "outer" "$(v=outer; (v=inner); echo $v)"
is exit-in-subshell 3 "$( (exit 3); echo $?)"
is redirect-both "out err" "$( (echo out; echo err >&2) 2>&1 | tr '\n' ' ' | sed 's/ $//')"
is append "1
2" "$(echo 1 >/tmp/append; echo 2 >>/tmp/append; cat /tmp/append)"
is descriptor "through 5" "$(exec 5>/tmp/five; echo through 5 >&5; exec 5>&-; cat /tmp/five)"
is glob "/tmp/g1 /tmp/g2" "$(touch /tmp/g2 /tmp/g1; echo /tmp/g?)"
is trap "caught" "$(sh -c 'trap "echo caught; exit" USR1; kill -USR1 $$; sleep 5')"
is exit-trap "bye" "$(sh -c 'trap "echo bye" EXIT; exit 0')"
is killed 143 "$(sh -c 'kill -TERM $$'; echo $?)"
is background-status 9 "$(sh -c 'exit 9' & wait $!; echo $?)"
is many-pipes "abc" "$(echo abc | cat | cat | cat | cat | cat | cat | cat)"
is big-pipe 300000 "$(head -c 300000 /dev/zero | cat | wc -c | tr -d ' ')"
is broken-pipe "y" "$(yes | head -n 1)"
is getopts "b=5 rest" "$(set -- -a -b 5 rest; while getopts ab: o; do [ $o = b ] && echo -n "b=$OPTARG "; done; shift $((OPTIND - 1)); echo $1)"
is environment "seen" "$(NAME=seen sh -c 'echo $NAME')"
is not-found 127 "$(no-such-command 2>/dev/null; echo $?)"
is not-executable 126 "$(echo : >/tmp/plain; chmod 644 /tmp/plain; /tmp/plain 2>/dev/null; echo $?)"
is recursion 120 "$(f() { [ $1 -le 1 ] && echo 1 || echo $(($1 * $(f $(($1 - 1))))); }; f 5)"

echo "language: $checks checks, $mistakes mistakes"
