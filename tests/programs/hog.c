// Takes memory until there is none: `hog` alone, `hog N` by N children of one parent that all write to its pages.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 8 << 20 };

static void take_all(void) {
    for (long taken = 0;; taken += PIECE) {
        char *piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) {
            printf("hog: refused after %ld MiB, errno %d\n", taken >> 20, errno);
            exit(errno == ENOMEM ? 3 : 4);
        }
        memset(piece, 1, PIECE);
    }
}

static int copies(int count) {
    size_t size = 48 << 20;
    char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(shared, 'x', size);
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            memset(shared, i, size);
            for (size_t at = 0; at < size; at += 4096)
                if (shared[at] != (char)i) _exit(9);
            sleep(1);
            _exit(0);
        }
        if (child < 0) printf("hog: fork refused, errno %d\n", errno);
    }
    int finished = 0, ended = 0, wrong = 0, status;
    while (wait(&status) > 0) {
        if (WIFSIGNALED(status)) ended++;
        else if (WEXITSTATUS(status) == 0) finished++;
        else wrong++;
    }
    for (size_t at = 0; at < size; at += 4096)
        if (shared[at] != 'x') wrong++;
    printf("hog: some finished %s, some ended %s, wrong %d\n", finished ? "yes" : "no", ended ? "yes" : "no", wrong);
    return wrong;
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 2) return copies(atoi(arguments[1]));
    take_all();
}
