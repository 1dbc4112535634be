// Exercise 6: a store of keys and values that can save itself while it goes on changing, as Redis does. Reads from standard input:
//   set KEY VALUE     get KEY: VALUE, or `nil`     save FILE: `saving`, at once     wait: `saved`, when the file is there
// The file has a line `KEY VALUE` for each key, in the order in which they were first set, as they were at `save`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1024, LONGEST = 64 };
static struct { char key[LONGEST], value[LONGEST]; } pairs[MOST];
static int count;

static int find(const char *key) {
    for (int i = 0; i < count; i++)
        if (strcmp(pairs[i].key, key) == 0) return i;
    return -1;
}

static void set(const char *key, const char *value) {
    int i = find(key);
    if (i < 0 && count == MOST) return;
    if (i < 0) strcpy(pairs[i = count++].key, key);
    strcpy(pairs[i].value, value);
}

// In the child: all is as it was at the fork, whatever the parent does meanwhile. It is there whole or not at all.
static int save(const char *path) {
    char part[LONGEST + 8];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *file = fopen(part, "w");
    if (!file) return 1;
    for (int i = 0; i < count; i++) fprintf(file, "%s %s\n", pairs[i].key, pairs[i].value);
    if (fclose(file) != 0) return 1;
    return rename(part, path) != 0;
}

int main(void) {
    char line[3 * LONGEST], key[LONGEST], value[LONGEST];
    pid_t saver = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "set %63s %63s", key, value) == 2) {
            set(key, value);
        } else if (sscanf(line, "get %63s", key) == 1) {
            int i = find(key);
            puts(i < 0 ? "nil" : pairs[i].value);
        } else if (sscanf(line, "save %63s", value) == 1 && !saver) {
            saver = fork();
            if (saver == 0) _exit(save(value));
            puts(saver > 0 ? "saving" : "cannot save");
        } else if (strcmp(line, "wait\n") == 0) {
            int status = 1;
            if (saver > 0) waitpid(saver, &status, 0);
            puts(status == 0 ? "saved" : "cannot save");
            saver = 0;
        } else {
            puts("what?");
        }
    }
    return 0;
}
