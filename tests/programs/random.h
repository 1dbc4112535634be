// Random numbers that are the same everywhere, and a digest of what was seen.
#pragma once
#include <stdint.h>
#include <stddef.h>

static uint32_t random_state = 1;

static inline void random_seed(uint32_t seed) {
    random_state = seed * 2654435761u | 1;
}

// A number below the limit.
static inline uint32_t below(uint32_t limit) {
    random_state ^= random_state << 13, random_state ^= random_state >> 17, random_state ^= random_state << 5;
    return random_state % limit;
}

// FNV-1a.
#define FOLD_START 0xcbf29ce484222325ull

static inline unsigned long long fold(unsigned long long sum, const void *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) sum = (sum ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ull;
    return sum;
}

static unsigned long long digest_state = FOLD_START;

static inline void digest_add(unsigned long long value) {
    digest_state = fold(digest_state, &value, sizeof value);
}

static inline unsigned long long digest(void) {
    return digest_state;
}
