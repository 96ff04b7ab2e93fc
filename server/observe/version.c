/* Version. */
#include "server/observe/version.h"

const char *nq_version(void) {
    return "0.1.0";
}

const char *nq_build(void) {
#if defined(__clang__)
#define NQ_COMPILER "clang " __clang_version__
#else
#define NQ_COMPILER "gcc " __VERSION__
#endif
#ifdef __OPTIMIZE__
    return NQ_COMPILER ", optimized";
#else
    return NQ_COMPILER ", not optimized";
#endif
}

const char *nq_platform(void) {
#if defined(__x86_64__)
    return "linux/amd64";
#elif defined(__aarch64__)
    return "linux/arm64";
#else
    return "linux/other";
#endif
}
