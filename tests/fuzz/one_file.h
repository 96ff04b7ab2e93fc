/* One file: a file system in which every path leads to the same bytes, for fuzzing what opens
 * files.
 */
#ifndef NQ_TESTS_FUZZ_ONE_FILE_H
#define NQ_TESTS_FUZZ_ONE_FILE_H

#include <stdint.h>

#include "engine/ground/os/vfs.h"

/* To be opened for reading, with these bytes, which are borrowed until the next call. Static. */
nq_vfs *one_file_vfs(const uint8_t *bytes, size_t size);

#endif
