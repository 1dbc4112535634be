//! What the small programs print.

/// A command, and its output.
pub const CASES: &[(&str, &str)] = &[
    (
        "ls --help; echo $?",
        "usage: ls [-1aAdFhilrStR] [names]\nls lists folders and files.\n0\n",
    ),
    ("ls -Q 2>&1; echo $?", "ls: invalid option -- 'Q'\n2\n"),
    ("echo --help", "--help\n"),
    (
        "touch m; chmod 640 m; chmod g+w,o=r m; ls -l m | cut -c 1-10",
        "-rw-rw-r--\n",
    ),
    ("printf 'a:b:c\\nd\\n' | cut -d : -f 1,3-", "a:c\nd\n"),
    (
        "echo 'Hello  there' | tr a-z A-Z | tr -s ' ' _; echo a1b2 | tr -d '[:digit:]'",
        "HELLO_THERE\nab\n",
    ),
    ("whoami; id -un", "root\nroot\n"),
    (
        "mkdir -p g/h; echo one > g/a; echo two > g/h/b; ln -s a g/l; grep -r o g; grep -rl w g; (cd g; grep -r t)",
        "g/a:one\ng/h/b:two\ng/h/b\nh/b:two\n",
    ),
    (
        "grep -H one g/a; grep -s one nosuch; echo $?; rm -r g",
        "g/a:one\n2\n",
    ),
    (
        "echo \"a 'b c' d\" | xargs -n 2 echo -; printf 'x y\\nz\\n' | xargs -I % echo [%] %",
        "- a b c\n- d\n[x y] x y\n[z] z\n",
    ),
    (
        "for s in 3 255; do echo a | xargs sh -c \"exit $s\"; echo $?; done 2>&1; echo a | xargs nosuch 2>&1; echo $?",
        "123\nxargs: sh: exited with status 255; aborting\n124\nxargs: nosuch: No such file or directory\n127\n",
    ),
    (
        "xargs echo none < /dev/null; xargs -r echo none < /dev/null; echo a | xargs cat; yes | xargs -n 3 2> /dev/null | head -n 2",
        "none\ncat: a: No such file or directory\ny y y\ny y y\n",
    ),
    (
        "seq 5 | sed -n '2,4{s/[0-9]/<&>/;H};${x;s/\\n/,/gp}'; echo 'a b' | sed -E 's/(.) (.)/\\2 \\1/'; printf 'x' | sed '1!G;h;$!d'; echo",
        ",<2>,<3>,<4>\nb a\nx\n",
    ),
    (
        "seq 3 > sa; chmod 640 sa; sed -i.old '2d;1w sw' sa; cat sa sw; wc -l < sa.old; ls -l sa | cut -c 1-10; ls -1 sa*; sed '2{' sa 2>&1; echo $?",
        "1\n3\n1\n3\n-rw-r-----\nsa\nsa.old\nsed: char 2: unmatched `{'\n1\n",
    ),
    (
        "diff sa.old sa; echo $?; diff -u sa.old sa | tail -n 4; diff -q sa sa; echo $?; diff sa nosuch 2>&1; echo $?",
        "2d1\n< 2\n1\n@@ -1,3 +1,2 @@\n 1\n-2\n 3\n0\ndiff: nosuch: No such file or directory\n2\n",
    ),
    (
        "mkdir -p da/s db/s; echo x > da/s/f; echo y > db/s/f; echo z > db/n; diff -r da db; diff -rqN da db; rm -r da db",
        "Only in db: n\ndiff -r da/s/f db/s/f\n1c1\n< x\n---\n> y\nFiles da/n and db/n differ\nFiles da/s/f and db/s/f differ\n",
    ),
    (
        "seq 30000 | xargs | wc -l; echo \"it's\" | xargs 2>&1 | cut -c 1-22",
        "2\nxargs: unmatched singl\n",
    ),
    (
        "mkdir d; mount -t tmpfs -o size=64k none d; mount | grep -c /tmp/d; df d | wc -l; umount d; mount | grep -c /tmp/d",
        "1\n2\n0\n",
    ),
    (
        "date -u -s '2031-05-06 07:08:09' +%F; date +%Y-%m-%d",
        "2031-05-06\n2031-05-06\n",
    ),
    ("date -s nonsense 2>&1", "date: invalid date 'nonsense'\n"),
    (
        "stty cols 91 rows 33; stty size; stty -echoe; stty -a | grep -c -e -echoe; stty sane; stty cols 0 rows 0",
        "33 91\n1\n",
    ),
];
