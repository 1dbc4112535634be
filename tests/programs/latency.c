// No call holds the processor for longer than half a millisecond: each row's call is made beside a sleeper, on one processor
// whose nanoseconds are instructions.
//   latency [limit MICROSECONDS] [ROW...]     only these rows;  latency nothing ...: ends at once
#include "latency_bytes.h"
#include "latency_crowds.h"
#include "latency_exec.h"
#include "latency_files.h"
#include "latency_locks.h"
#include "latency_many.h"
#include "latency_memory.h"
#include "latency_names.h"
#include "latency_poll.h"
#include "latency_proc.h"

static const struct row rows[] = {
    EXEC_ROWS,
    FILE_ROWS,
    MANY_ROWS,
    POLL_ROWS,
    MEMORY_ROWS,
    PROC_ROWS,
    NAME_ROWS,
    LOCK_ROWS,
    BYTE_ROWS,
    CROWD_ROWS,
};

static int argument_count;
static char **argument_list;

static int is_chosen(const struct row *row) {
    for (int i = 1; i < argument_count; i++)
        if (strcmp(argument_list[i], row->name) == 0) return 1;
    return argument_count <= 1;
}

static void measure_all(void) {
    in_call = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    start_sleeper();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_chosen(&rows[i])) measure(&rows[i]);
    end_sleeper();
}

int main(int count, char **list) {
    if (count > 1 && strcmp(list[1], "nothing") == 0) return 0;
    if (count > 2 && strcmp(list[1], "limit") == 0) {
        most_late = atol(list[2]) * 1000;
        count -= 2, list += 2;
    }
    argument_count = count, argument_list = list;
    return run_as_init("latency", measure_all);
}
