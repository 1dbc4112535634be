// Exercise 5: a fork server. It prepares once what every test needs, and forks for each line that it reads: so each test begins
// with the same memory, whatever those before it did. Answers each line with `ok` or `signal N`, and at the end `served N`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 1 << 20 };
static unsigned table[WORDS];

// The program under test: the table must be as it was prepared; it spoils it all over. `crash` ends as crashes end.
static int test(const char *line) {
    if (strcmp(line, "crash\n") == 0) *(volatile int *)8 = 1;
    unsigned by = strtoul(line, NULL, 10);
    for (unsigned i = 0; i < WORDS; i += 4096) {
        if (table[i] != i) return 1;
        table[i] += by + 1;
    }
    return 0;
}

int main(void) {
    for (unsigned i = 0; i < WORDS; i++) table[i] = i;
    // What is buffered would be printed by each child once more, and what stdin has read ahead is the parent's.
    setvbuf(stdout, NULL, _IONBF, 0);
    char line[80];
    unsigned served = 0;
    while (fgets(line, sizeof line, stdin)) {
        pid_t child = fork();
        if (child < 0) return 1;
        if (child == 0) _exit(test(line));
        int status;
        if (waitpid(child, &status, 0) != child) return 1;
        if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
        else puts(WEXITSTATUS(status) == 0 ? "ok" : "FAILED");
        served++;
    }
    printf("served %u\n", served);
    return 0;
}
