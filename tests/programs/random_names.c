// Random changes of names: what each call answers, and what the tree is afterwards, goes into a digest, which is the same on Linux with the
// same file system.
//
//     random_names FOLDER [ROUNDS [SEED]]     changes, and prints "random_names: digest D, tree T"
//     random_names FOLDER again               prints "random_names: tree T" of what is there: behind a mount, say
#include "check.h"
#include "random.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

enum { NAMES = 9, DEPTH = 3, LONGEST = 400, CHILDREN = 64 };

static int is_shown;

// A path of one to three names below the folder; most are a directory's or a file's, some of neither.
static const char *some_path(char *path) {
    int len = 0, depth = 1 + below(DEPTH);
    for (int i = 0; i < depth; i++) {
        int name = below(NAMES);
        len += sprintf(path + len, "%s%c%d", i ? "/" : "", i + 1 < depth ? 'd' : "dfffffdd"[below(8)], name);
        if (below(40) == 0) len += sprintf(path + len, "-with a name that is a good deal longer than the others and ends in .%d", name);
    }
    if (below(30) == 0) strcpy(path + len, "/");
    return path;
}

static int create(const char *path) {
    static const int flags[] = {O_CREAT | O_WRONLY, O_CREAT | O_EXCL | O_RDWR, O_CREAT | O_TRUNC | O_WRONLY, O_RDONLY, O_CREAT | O_APPEND | O_WRONLY, O_RDONLY | O_DIRECTORY, O_WRONLY | O_NOFOLLOW};
    int how = flags[below(7)], mode = 0600 | below(64), file = open(path, how | O_NONBLOCK, mode), len = below(3000);
    if (file < 0) return -1;
    static char bytes[3000];
    memset(bytes, 'a' + below(26), len);
    int answer = write(file, bytes, len), was = errno;
    close(file);
    errno = was;
    return answer;
}

static int set_attribute(const char *path) {
    char name[32], value[64];
    sprintf(name, "trusted.%d", below(4));
    memset(value, 'v', sizeof value);
    int len = below(64), how = (int[]){0, 0, XATTR_CREATE, XATTR_REPLACE}[below(4)];
    switch (below(3)) {
    case 0: return lremovexattr(path, name);
    case 1: return lgetxattr(path, name, value, sizeof value);
    default: return lsetxattr(path, name, value, len, how);
    }
}

static int look(const char *path) {
    struct stat status;
    int answer = fstatat(AT_FDCWD, path, &status, below(2) ? AT_SYMLINK_NOFOLLOW : 0);
    if (answer == 0) digest_add(status.st_mode), digest_add(status.st_nlink), digest_add(S_ISDIR(status.st_mode) ? 0 : status.st_size);
    return answer;
}

static int change(void) {
    char path[LONGEST], other[LONGEST];
    some_path(path);
    switch (below(16)) {
    case 0: case 1: case 2: return create(path);
    case 3: case 4: return mkdir(path, 0700 | below(64));
    case 5: return unlink(path);
    case 6: return rmdir(path);
    case 7: case 8: return rename(path, some_path(other));
    case 9: some_path(other); return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, (int[]){1, 2, 2, 3}[below(4)]);
    case 10: return link(path, some_path(other));
    case 11: return symlink(some_path(other), path);
    case 12: return set_attribute(path);
    case 13: return below(2) ? chmod(path, below(4096)) : truncate(path, below(5000));
    case 14: return below(4) ? look(path) : mknod(path, below(2) ? S_IFIFO | 0600 : S_IFREG | 0644, 0);
    default: return below(8) ? look(path) : remove(path);
    }
}

static int by_name(const void *left, const void *right) {
    return strcmp(left, right);
}

static unsigned long long add(unsigned long long sum, unsigned long long value) {
    return fold(sum, &value, sizeof value);
}

// What a file has, and what it is called.
static unsigned long long file_digest(unsigned long long sum, const char *path) {
    static char bytes[8192];
    struct stat status;
    if (lstat(path, &status) != 0) return add(sum, errno);
    sum = fold(sum, path, strlen(path));
    sum = add(add(sum, status.st_mode), status.st_nlink);
    if (is_shown) printf("%s %o %d %ld\n", path, status.st_mode, (int)status.st_nlink, S_ISDIR(status.st_mode) ? 0 : (long)status.st_size);
    ssize_t len = 0;
    if (S_ISREG(status.st_mode)) {
        int file = open(path, O_RDONLY);
        len = read(file, bytes, sizeof bytes);
        close(file);
    } else if (S_ISLNK(status.st_mode)) {
        len = readlink(path, bytes, sizeof bytes);
    }
    sum = fold(add(sum, len), bytes, len > 0 ? len : 0);
    for (int i = 0; i < 4; i++) {
        char name[32], value[64];
        sprintf(name, "trusted.%d", i);
        if ((len = lgetxattr(path, name, value, sizeof value)) >= 0) sum = fold(add(sum, i), value, len);
    }
    return sum;
}

// All below the folder that this is in, sorted.
static unsigned long long tree(unsigned long long sum, const char *folder) {
    char (*names)[256] = calloc(CHILDREN, 256);
    int count = 0;
    DIR *directory = opendir(folder);
    if (directory == NULL) return add(sum, errno);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < CHILDREN;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) strcpy(names[count++], entry->d_name);
    }
    closedir(directory);
    qsort(names, count, 256, by_name);
    for (int i = 0; i < count; i++) {
        char path[LONGEST + 300];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        sum = file_digest(sum, path);
        struct stat status;
        if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) sum = tree(sum, path);
    }
    free(names);
    return sum;
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    int is_again = count > 2 && strcmp(words[2], "again") == 0;
    is_shown = getenv("SHOW") != NULL;
    if (count < 2 || chdir(words[1]) != 0 || (!is_again && mkdir("random_names", 0755) != 0) || chdir("random_names") != 0) {
        perror("random_names");
        return 1;
    }
    if (is_again) {
        printf("random_names: tree %016llx\n", tree(FOLD_START, "."));
        return 0;
    }
    int rounds = count > 2 ? atoi(words[2]) : 3000;
    random_seed(count > 3 ? atoi(words[3]) : 1);
    for (int round = 0; round < rounds; round++) {
        errno = 0;
        int answer = change();
        digest_add(answer), digest_add(answer < 0 ? errno : 0);
        if (is_shown) printf("round %d: %d, %s: %016llx\n", round, answer, answer < 0 ? strerror(errno) : "", digest());
        if (round % 100 == 99) digest_add(tree(FOLD_START, "."));
        if (round % 500 == 499) printf("round %d: %016llx\n", round, digest());
    }
    printf("random_names: digest %016llx, tree %016llx\n", digest(), tree(FOLD_START, "."));
    return 0;
}
