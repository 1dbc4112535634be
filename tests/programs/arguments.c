// Prints its arguments and one variable of its environment, and powers the board off.
#include "check.h"

int main(int count, char **arguments) {
    for (int i = 0; i < count; i++) printf("argument %d: %s\n", i, arguments[i]);
    const char *colour = getenv("colour");
    printf("%d arguments, colour=%s\n", count, colour ? colour : "none");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
