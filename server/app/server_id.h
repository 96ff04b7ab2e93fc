/* Server id: a random name given to a data directory once, for its life. */
#ifndef NQ_SERVER_APP_SERVER_ID_H
#define NQ_SERVER_APP_SERVER_ID_H

#include "engine/ground/os/vfs.h"

/* Reads the file "server_id" of the directory, or makes it. Fails with NQ_FILE_FOREIGN when it is
 * not 16 bytes long. */
nq_status nq_server_id_load(nq_ctx *ctx, nq_vfs *vfs, const char *directory, uint8_t out_id[16]);

#endif
