// A fork bomb under a limit: every process forks as often as it can. The limit must hold, and everything must end.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 50 };

static volatile int *started, *refused;

static void bomb(void) {
    for (;;) {
        pid_t child = fork();
        if (child == 0) __atomic_add_fetch(started, 1, __ATOMIC_SEQ_CST);
        if (child < 0) {
            if (errno == EAGAIN) __atomic_add_fetch(refused, 1, __ATOMIC_SEQ_CST);
            usleep(20000);
        }
    }
}

int main(void) {
    started = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    refused = started + 1;
    pid_t first = fork();
    if (first == 0) {
        struct rlimit limit = {LIMIT, LIMIT};
        if (setpgid(0, 0) != 0 || setrlimit(RLIMIT_NPROC, &limit) != 0 || setuid(1000) != 0) _exit(1);
        bomb();
    }
    sleep(3);
    int fullest = *started;
    if (kill(-first, SIGKILL) != 0) perror("kill");
    int status = 0;
    waitpid(first, &status, 0);
    printf("bomb: %d started, refused %s, ended by signal %d\n", fullest, *refused > 0 ? "yes" : "no", WTERMSIG(status));
    return fullest < LIMIT && *refused > 0 ? 0 : 1;
}
