// Exercise 2: a page that three processes share, and one of them stores to it.
// Prints for the parent and its children a and b: name, frame, value. b has stored.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

// The frame at `address`, as /proc/self/pagemap has it: one word for each page, the frame in its lower 55 bits.
static uint64_t frame_of(const void *address) {
    uint64_t word = 0;
    int map = open("/proc/self/pagemap", O_RDONLY);
    if (pread(map, &word, 8, (uintptr_t)address / PAGE * 8) != 8) return 0;
    close(map);
    return word & ((1ull << 55) - 1);
}

static void tell(const char *name, const int *page) {
    printf("%s %llx %d\n", name, (unsigned long long)frame_of(page), *page);
    fflush(stdout);
}

int main(void) {
    int *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int done[2];
    if (page == MAP_FAILED || pipe(done) != 0) return 1;
    *page = 1;
    // a waits until b has stored, and sees nothing of it.
    pid_t a = fork();
    if (a == 0) {
        char byte;
        if (read(done[0], &byte, 1) != 1) _exit(1);
        tell("a", page);
        _exit(0);
    }
    pid_t b = fork();
    if (b == 0) {
        *page = 2;
        tell("b", page);
        _exit(0);
    }
    waitpid(b, NULL, 0);
    // Still shared with a: this is looked at before a ends.
    tell("parent", page);
    if (write(done[1], "", 1) != 1) return 1;
    int status;
    waitpid(a, &status, 0);
    return status != 0;
}
