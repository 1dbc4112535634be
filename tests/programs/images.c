// Programs and interpreters with strange headers, made here byte by byte. Each ends with status 42 if it was mapped as its
// headers say.
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

enum { PAGE = 4096 };

// exit(42), and a loop behind it.
static const uint32_t EXIT_42[] = {0xd2800540, 0xd2800ba8, 0xd4000001, 0x14000000};
// exit(1), where what should not be seen is run.
static const uint32_t EXIT_1[] = {0xd2800020, 0xd2800ba8, 0xd4000001, 0x14000000};

static uint8_t image[4 * PAGE];
static Elf64_Ehdr *const header = (Elf64_Ehdr *)image;
static Elf64_Phdr *const segments = (Elf64_Phdr *)(image + sizeof(Elf64_Ehdr));

// A file of four pages: headers in the first, code in the second and third.
static void begin(uint16_t type, uint64_t entry) {
    memset(image, 0, sizeof image);
    memcpy(header->e_ident, ELFMAG, SELFMAG);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_ident[EI_VERSION] = EV_CURRENT;
    header->e_type = type;
    header->e_machine = EM_AARCH64;
    header->e_version = EV_CURRENT;
    header->e_entry = entry;
    header->e_phoff = sizeof(Elf64_Ehdr);
    header->e_ehsize = sizeof(Elf64_Ehdr);
    header->e_phentsize = sizeof(Elf64_Phdr);
    memcpy(image + PAGE, EXIT_42, sizeof EXIT_42);
    memcpy(image + 2 * PAGE, EXIT_1, sizeof EXIT_1);
}

static void segment(uint64_t offset, uint64_t address, uint64_t align) {
    segments[header->e_phnum++] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = offset, .p_vaddr = address, .p_paddr = address,
        .p_filesz = PAGE, .p_memsz = PAGE, .p_align = align,
    };
}

static void write_file(const char *path, const void *bytes, size_t len) {
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT, 0755);
    CHECK(write(file, bytes, len) == (ssize_t)len);
    CHECK(fchmod(file, 0755) == 0);
    close(file);
}

// The exit status, 256 + the signal, or minus the error of exec.
static int run(const char *path) {
    int failure[2], error = 0, status = -1;
    CHECK(pipe2(failure, O_CLOEXEC) == 0);
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, (char *)NULL);
        if (write(failure[1], &errno, sizeof errno) < 0) _exit(98);
        _exit(99);
    }
    close(failure[1]);
    if (read(failure[0], &error, sizeof error) != sizeof error) error = 0;
    close(failure[0]);
    waitpid(child, &status, 0);
    if (error) return -error;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int run_image(void) {
    write_file("/tmp/strange", image, sizeof image);
    return run("/tmp/strange");
}

static void orders_and_alignments(void) {
    begin(ET_EXEC, 0x400000);
    segment(PAGE, 0x400000, PAGE);
    CHECK(run_image() == 42);
    begin(ET_EXEC, 0x400000);
    segment(2 * PAGE, 0x500000, PAGE);
    segment(PAGE, 0x400000, PAGE);
    CHECK(run_image() == 42);
    begin(ET_EXEC, 0x400000);
    segment(PAGE, 0x400000, 3);
    segment(2 * PAGE, 0x500000, 0x123456);
    CHECK(run_image() == 42);
    // What is mapped later is seen.
    begin(ET_EXEC, 0x400000);
    segment(2 * PAGE, 0x400000, PAGE);
    segment(PAGE, 0x400000, PAGE);
    CHECK(run_image() == 42);
    begin(ET_DYN, 0x1000);
    segment(2 * PAGE, 0x5000, PAGE);
    segment(PAGE, 0x1000, PAGE);
    CHECK(run_image() == 42);
    // Where nothing is executable the program ends by itself.
    begin(ET_EXEC, 0x900000);
    segment(PAGE, 0x400000, PAGE);
    CHECK(run_image() == 256 + 11);
}

// Addresses that count from far up.
static void high_addresses(void) {
    for (int i = 0; i < 3; i++) {
        uint64_t at = ((uint64_t[]){0x7f00000000, 0x7fc0000000, 0x7fffff0000})[i];
        begin(ET_DYN, at);
        segment(PAGE, at, PAGE);
        CHECK(run_image() == 42);
        write_file("/tmp/interpreter", image, sizeof image);
        begin(ET_DYN, 0);
        segment(2 * PAGE, 0, PAGE);
        segments[header->e_phnum++] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 512, .p_filesz = 17};
        memcpy(image + 512, "/tmp/interpreter", 17);
        CHECK(run_image() == 42);
    }
}

static void scripts(void) {
    write_file("/tmp/script", "#!", 2);
    CHECK(run("/tmp/script") == -EACCES);
    write_file("/tmp/script", "#! ", 3);
    CHECK(run("/tmp/script") == -EACCES);
    write_file("/tmp/script", "#!\n", 3);
    CHECK(run("/tmp/script") == -ENOEXEC);
    write_file("/tmp/script", "#!/nowhere\n", 11);
    CHECK(run("/tmp/script") == -ENOENT);
    write_file("/tmp/script", "#!/tmp/strange", 14);
    begin(ET_EXEC, 0x400000);
    segment(PAGE, 0x400000, PAGE);
    CHECK(run_image() == 42 && run("/tmp/script") == 42);
}

static void checks(void) {
    orders_and_alignments();
    high_addresses();
    scripts();
}

int main(void) { return run_as_init("images", checks); }
