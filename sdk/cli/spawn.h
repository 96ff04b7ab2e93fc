/* Spawn: another program as a child, with the signals a program expects to start with. */
#ifndef NQ_SDK_CLI_SPAWN_H
#define NQ_SDK_CLI_SPAWN_H

#include <sys/types.h>

/* `output` replaces the child's standard output; -1: it keeps ours. Returns errno, 0 for success.
 */
int nq_spawn(char *const *arguments, int output, pid_t *out_child);
/* Its exit status as waitpid gives it. */
int nq_spawn_wait(pid_t child);

#endif
